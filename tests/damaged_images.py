"""Images of every kind that is read, damaged in ways that follow from a number; and reading them in a process."""

import random
import sys
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from sample_images import camera_exif, colour_profile, photograph, save_deep_png
from util.errors import WorkError
from util.image_io.reading import count_pixels, open_rgb, read_image


def whole_images(folder):
    """Write one image of each kind; {name: bytes of its file}."""
    image, folder = photograph((33, 21)), Path(folder)
    deep = np.asarray(image).astype(np.uint16) * 257
    told = {"exif": camera_exif(), "icc_profile": colour_profile()}
    for name in ("rgb.png", "rgb.jpg", "rgb.webp", "rgb.avif", "rgb.tif"):
        image.save(folder / name, **told)
    for name in ("rgb.bmp", "rgb.ppm", "rgb.gif", "rgb.tga", "rgb.jp2", "rgb.j2k"):
        image.save(folder / name)
    image.save(folder / "progressive.jpg", progressive=True)
    image.save(folder / "rle.tga", compression="tga_rle")
    image.save(folder / "lossless.webp", lossless=True)
    image.save(folder / "lzw.tif", compression="tiff_lzw")
    image.save(folder / "jpeg.tif", compression="jpeg")
    image.convert("LA").save(folder / "gray_alpha.png")
    image.quantize(16).save(folder / "palette.png")
    save_deep_png(folder / "deep.png", deep)
    save_deep_png(folder / "deep_alpha.png", np.dstack([deep, deep[:, :, :1]]))
    Image.fromarray(deep[:, :, 0]).save(folder / "gray16.png")
    kinds = {
        "deep": {},
        "deep_zlib": {"compression": "zlib", "predictor": True},
        "deep_tiles": {"tile": (16, 16), "compression": "zlib"},
        "deep_planes": {"planarconfig": "separate"},
    }
    for name, flags in kinds.items():
        values = deep.transpose(2, 0, 1) if "planarconfig" in flags else deep
        tifffile.imwrite(folder / f"{name}.tif", values, photometric="rgb", metadata=None, **flags)
    tifffile.imwrite(folder / "float.tif", np.asarray(image.convert("L"), np.float32) / 255, metadata=None)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def damaged(contents, seed):
    """Bytes of a file with some changed, cut out, cut off, put in or repeated; most damage is near the beginning."""
    rng, contents = random.Random(seed), bytearray(contents)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        length = len(contents)
        place = rng.randrange(max(1, min(length, rng.choice((64, 400, length)))))
        few = rng.choice((1, 2, 4, 40))
        kind = rng.randrange(6)
        if kind == 0:
            contents[place : place + few] = rng.randbytes(few)
        elif kind == 1:
            contents[place : place + few] = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * few
        elif kind == 2:
            del contents[place : place + few]
        elif kind == 3:
            contents[place:place] = rng.randbytes(few)
        elif kind == 4 and place < length:
            contents[place] ^= 1 << rng.randrange(8)
        else:
            del contents[rng.randrange(length + 1) :]
    return bytes(contents)


def read_damaged(folder, kinds, seeds):
    """Read damaged images in all ways; a line for each that raises anything but a WorkError of one line."""
    folder = Path(folder)
    for name, contents in whole_images(folder).items():
        if kinds and name not in kinds:
            continue
        read = 0
        for seed in seeds:
            path = folder / name
            path.write_bytes(damaged(contents, f"{name} {seed}"))
            print(f"reading {name} {seed}", file=sys.stderr, flush=True)
            for way in (read_image, open_rgb, count_pixels):
                try:
                    way(path)
                    read += way is read_image
                except WorkError as error:
                    if "\n" in str(error):
                        print(f"{name} {seed}: {error!r}")
                except BaseException as error:
                    print(f"{name} {seed}: {way.__name__} {error!r}")
        print(f"{name}: {read} of {len(seeds)} were read", file=sys.stderr)


if __name__ == "__main__":
    read_damaged(sys.argv[1], sys.argv[4:], range(int(sys.argv[2]), int(sys.argv[3])))
