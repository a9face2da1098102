"""The enhancer: all of NeRCo that inference needs."""

import os
import reprlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from data.transforms import pad_to_multiple
from models.inference.released import architecture_of
from models.inference.runner import Inference
from models.networks.generators import GENERATORS, build_generator, size_multiple, smallest_side
from models.networks.layers import NORMS
from models.networks.mask_extractor import MaskExtractor
from models.networks.nrn import NRN
from util.checkpoint import (
    OPTIONS_JSON,
    advice_on_finite_weights,
    load_network,
    net_file,
    read_options,
    read_state_dict,
)
from util.device import select_device
from util.errors import WorkError
from util.image_io.arrays import array_to_tensor, tensor_to_array
from util.image_io.reading import read_image
from util.image_io.writing import result_image
from util.memory import memory_advice
from util.stages import PARTS
from util.tensor_files import NotFinite

ARCHITECTURE = ("ngf", "netG", "norm", "dropout", "nrn_coords", "ablate")  # the options that shape it
NETWORKS = ("Pre", "H", "G_A")

# What each of those options can be: no network is built of anything else.
_CAN_BE = {
    "ngf": ("a whole number from 1 to 1024", lambda n: type(n) is int and 1 <= n <= 1024),
    "netG": (f"one of {', '.join(GENERATORS)}", list(GENERATORS).__contains__),
    "norm": (f"one of {', '.join(NORMS)}", list(NORMS).__contains__),
    "dropout": ("true or false", lambda value: isinstance(value, bool)),
    "nrn_coords": ("absolute or cancelled", ("absolute", "cancelled").__contains__),
    "ablate": (
        f"a list of {', '.join(PARTS)}",
        lambda parts: isinstance(parts, list) and all(part in list(PARTS) for part in parts),
    ),
}


def checked_architecture(stored, source):
    """The options of ``ARCHITECTURE`` among stored ones, {flag: value}.

    Raises:
        WorkError: one of them is missing, or is no such value; names ``source``, their file.
    """
    for flag, (wanted, allowed) in _CAN_BE.items():
        if flag not in stored:
            raise WorkError(f"{source}: lacks {flag!r}; restore it, or remove it")
        if not allowed(stored[flag]):
            raise WorkError(f"{source}: {flag} is {reprlib.repr(stored[flag])}, not {wanted}; restore or remove it")
    return {flag: stored[flag] for flag in ARCHITECTURE}


class Enhancer(nn.Module):
    """fake_B = G_A(cat(A, Pre(A)) * mask(A)): the way from low to normal light in the loop A -> B -> A.

    Args:
        ngf, netG, norm, dropout, nrn_coords, ablate: the options of the same names.

    Example::

        enhancer = Enhancer.from_checkpoint("saves/LSRW")
        enhancer.enhance("dark.jpg").save("bright.png")
    """

    def __init__(self, ngf=64, netG="resnet_9blocks", norm="instance", dropout=False, nrn_coords="absolute", ablate=()):
        super().__init__()
        self.nrn = None if "nrn" in ablate else NRN(ngf, norm, dropout, nrn_coords)
        self.mask_extractor = None if "mask" in ablate else MaskExtractor(ngf, norm, dropout)
        self.generator = build_generator(netG, 6, ngf=ngf, norm=norm, dropout=dropout)
        self.multiple, self.smallest = size_multiple(netG), smallest_side(netG)
        values = (ngf, netG, norm, dropout, nrn_coords, list(ablate))
        self.options = dict(zip(ARCHITECTURE, values, strict=True))
        self.stored = None  # the options of training, where a checkpoint has them

    @classmethod
    def of(cls, networks, options):
        """An enhancer made of networks that exist, {"Pre", "H", "G_A": module}; ``options`` as stored with them."""
        with torch.device("meta"):
            enhancer = cls(**{flag: options[flag] for flag in ARCHITECTURE})
        enhancer.nrn, enhancer.mask_extractor = networks.get("Pre"), networks.get("H")
        enhancer.generator = networks["G_A"]
        return enhancer

    @classmethod
    def from_checkpoint(cls, folder, epoch="latest", device=None, ema=False):
        """Build an enhancer from a folder of weights alone, in evaluation mode.

        Args:
            folder: holds {epoch}_net_Pre.pth, _net_H.pth, _net_G_A.pth; and train_opt.json, without which the
                folder is the authors' own and the architecture is read off the weights.
            epoch: ``latest``, a number, or ``iter_N``.
            device: a torch.device or its name; None takes the first GPU, or the CPU where there is none.
            ema: whether the averaged weights, {epoch}_net_X_ema.pth, are loaded.

        Raises:
            WorkError: a file is missing, damaged, or does not fit the others, or there is not enough memory.
        """
        folder, kind = Path(folder), "_ema" if ema else ""
        stored = read_options(folder)
        states = {}
        if stored is None:
            states = {net: read_state_dict(folder, epoch, net + kind) for net in NETWORKS}
            options = architecture_of(states, folder)
        else:
            options = checked_architecture(stored, folder / OPTIONS_JSON)
        enhancer = cls(**options)
        enhancer.stored = stored
        try:
            for net, network in enhancer.networks().items():
                state = states[net] if net in states else read_state_dict(folder, epoch, net + kind)
                load_network(network, state, folder / net_file(epoch, net + kind))
        except NotFinite as error:
            raise WorkError(f"{error}; {advice_on_finite_weights(folder)}") from error
        device = select_device() if device is None else device
        with memory_advice(f"the networks do not fit on {device}; free some, or compute on the CPU (--gpu_ids -1)"):
            return enhancer.eval().to(device)

    def networks(self):
        """Its parts under their names in a checkpoint."""
        parts = dict(zip(NETWORKS, (self.nrn, self.mask_extractor, self.generator), strict=True))
        return {net: network for net, network in parts.items() if network is not None}

    def forward(self, low, stages=False):
        """Enhance a batch.

        Args:
            low: (N, 3, H, W) in [-1, 1], any size from 1x1 up. Sides that the networks do not take are extended
                to the right and below, and the results cropped back.
            stages: whether pre_A and the mask are returned, too.

        Returns:
            The enhanced batch (N, 3, H, W) in [-1, 1]; with ``stages`` also the normalised batch pre_A
            (N, 3, H, W), unbounded, and the mask (N, 1, H, W) in (0, 1). Where training left a part out, pre_A
            is the image itself and the mask is 1.
        """
        height, width = low.shape[-2:]
        padded = pad_to_multiple(low, self.multiple, self.smallest)
        pre = self.nrn(padded) if self.nrn else padded
        mask = self.mask_extractor.mask(padded) if self.mask_extractor else torch.ones_like(padded[:, :1])
        enhanced = self.generator(torch.cat([padded, pre], dim=1) * mask)
        results = [x[..., :height, :width] for x in (enhanced, pre, mask)]
        return tuple(results) if stages else results[0]

    def placed(self, x):
        """A tensor on the device and in the precision of the weights."""
        parameter = next(self.parameters())
        return x.to(parameter.device, parameter.dtype)

    def enhance(self, image):
        """Enhance one image, as test.py does; gray stays gray, and alpha is kept.

        Args:
            image: a file, a PIL image of any mode, or an array: uint8, uint16, or floating from 0 to 1, of shape
                (H, W) or (H, W, C): gray, gray and alpha, RGB, RGB and alpha.

        Returns:
            Of an array, one of the same type and shape. Else a PIL image, upright, with colour profile and EXIF in
            ``info``; in 8 bits, all that PIL has for colours, but 16 (I;16) where gray without alpha had more.

        Raises:
            WorkError: the image cannot be read, or does not fit into memory in any way.
            TypeError: it is something else; ValueError: an array has another shape or other values.
        """
        if isinstance(image, np.ndarray):
            return tensor_to_array(self._enhanced(array_to_tensor(image)), image)
        if not isinstance(image, (str, os.PathLike, Image.Image)):
            raise TypeError(f"enhance takes a file, a PIL image or a numpy array, not {type(image).__name__}")
        loaded = read_image(image)
        enhanced = self._enhanced(loaded.colours())
        return result_image(enhanced, alpha=loaded.alpha, metadata=loaded.metadata, deep=loaded.deep, gray=loaded.gray)

    def _enhanced(self, low):
        """An image (3, H, W) in [-1, 1], enhanced, on the CPU."""
        enhanced, _, _ = Inference(self)(low[None])
        return enhanced[0].cpu()
