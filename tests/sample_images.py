"""Small images and folders for the tests, made when they are needed."""

import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image, ImageCms
from skimage import data as photographs

from models.enhancer import Enhancer
from models.networks.layers import init_weights
from util.checkpoint import net_file, save_options


def photograph(size, name="coffee", brightness=1.0):
    """A real photograph, resized to (width, height) and scaled in brightness."""
    image = Image.fromarray(getattr(photographs, name)()).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    return image.point(lambda level: round(level * brightness))


def training_folder(root, count=3, size=(40, 36)):
    """A data set: ``count`` dark images in trainA and testA, as many bright ones of another scene in trainB."""
    for folder, name, brightness in (("trainA", "coffee", 0.15), ("trainB", "chelsea", 1.0), ("testA", "coffee", 0.2)):
        (root / folder).mkdir(parents=True)
        for i in range(count):
            photograph((size[0] + i, size[1]), name, brightness).save(root / folder / f"{name}{i}.png")
    return root


def enhancer_folder(root, options=None, **shape):
    """A folder of untrained weights in the released form; with ``options`` (a namespace), those beside them."""
    import torch

    root.mkdir(parents=True, exist_ok=True)
    enhancer = init_weights(Enhancer(**{"ngf": 16, **shape}), gain=0.1)
    for net, network in enhancer.networks().items():
        torch.save(network.state_dict(), root / net_file("latest", net))
    if options is not None:
        save_options(root, options)
    return enhancer.eval()


def levels(image):
    return np.asarray(image).astype(int)


def save_deep_png(path, values):
    """Write a colour PNG with 16 bits per channel, which PIL cannot: uint16 (H, W, 3 or 4)."""
    height, width, channels = values.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


@cache  # it holds the time at which it was made
def colour_profile(space="sRGB"):
    """An ICC profile, bytes."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()


def camera_exif(orientation=6):
    """What a camera might tell, bytes: maker, orientation, exposure time, its own notes, place."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", orientation
    exif[0x8769] = {0x829A: (1, 50), 0x927C: b"notes of the maker"}
    exif[0x8825] = {1: "N", 2: (47.0, 22.0, 5.0)}
    return exif.tobytes()


def images_batch(seed, n=1, side=32, dtype=None):
    """A batch for training: random dark and bright images, {"A", "B": (n, 3, side, side)} and their names."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    low, normal = torch.rand(2, n, 3, side, side, generator=generator, dtype=dtype)
    return {"A": low * 0.4 - 1, "B": normal * 2 - 1, "A_paths": ["a"] * n, "B_paths": ["b"] * n}
