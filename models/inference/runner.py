"""Enhancing images of any size on the hardware at hand: whole, in bands of rows, or on the CPU instead of the GPU."""

import copy

import torch
from torch import nn

from models.inference.tiled_enhancer import enhance_in_bands
from models.kernels.norms import IMAGE_NORMS
from models.networks.layers import NORMS
from util.errors import WorkError
from util.memory import free_memory, out_of_memory
from util.precision import AMP

WHOLE_MAPS = 8  # peak of memory of a whole image, in feature maps of full size (measured: 4 to 8)
WHOLE_ON_CPU = 4 * 2**30  # bytes; beyond, bands are hardly slower and leave memory to others
BAND_OVERHEAD = 2**29  # bytes that bands need besides what is stored
SHARE = 0.8  # of the free memory that is counted on


class Inference:
    """Runs an ``Enhancer`` on batches, so that they fit into memory.

    Args:
        enhancer: in evaluation mode, on its device.
        amp: ``off``, ``bf16`` or ``fp16``: what convolutions and products compute in.
        channels_last: whether weights and images are stored for that layout; on a CPU images always are.
        compile: whether the networks are compiled (images that are run whole).
        tile: ``auto``: whole where memory allows, else in bands; ``off``: always whole; a number: in bands of so
            many rows.
        say: is given a line whenever a batch is not run as usual.
    """

    def __init__(self, enhancer, amp="off", channels_last=False, compile=False, tile="auto", say=print):
        self.enhancer, self.amp, self.tile, self.say = enhancer, AMP[amp], tile, say
        self.on_cpu = None  # another ``Inference``, once it was needed
        self.said, self.device = set(), next(enhancer.parameters()).device
        # CPUs are always faster with images stored pixel by pixel; weights may belong to somebody else.
        by_pixels = channels_last or self.device.type == "cpu"
        self.format = torch.channels_last if by_pixels else torch.contiguous_format
        if channels_last:
            enhancer.to(memory_format=self.format)
        if compile:
            for network in enhancer.networks().values():
                network.compile()

    @torch.inference_mode()
    def __call__(self, low):
        """Enhance a batch.

        Args:
            low: (N, 3, H, W) in [-1, 1], on the CPU.

        Returns:
            fake_B (N, 3, H, W), pre_A (N, 3, H, W), mask (N, 1, H, W), in single precision on the device that
            computed them, which may still be at it; see ``Enhancer.forward``.

        Raises:
            WorkError: the batch does not fit into memory in any way.
        """
        size = f"{low.shape[3]}x{low.shape[2]}"
        plans = self._plans(low, size)
        for number, (name, run) in enumerate(plans):
            try:
                return tuple(x.float() for x in run(low))
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            if number + 1 < len(plans):
                self._say_once(f"{size}: out of memory {name}; going on {plans[number + 1][0]}")
        raise WorkError(f"{size}: not enough memory for this image {plans[-1][0]}; free some, or make it smaller")

    def _plans(self, low, size):
        """What is tried one after the other: [(description, function of the batch)]."""
        whole = ("as a whole", self._whole)
        bands = ("in bands of rows", self._bands)
        frugal = ("in bands of rows, feature maps kept in 16 bits", self.frugal_bands)
        on_cpu = [] if self.device.type == "cpu" else [("on the CPU", self._on_cpu)]
        if self.tile == "off":
            return [whole]
        if self.tile != "auto":
            return [bands, *on_cpu]
        free = SHARE * free_memory(self.device)
        for_whole, for_bands = self._needed(low)
        if for_whole <= (min(free, WHOLE_ON_CPU) if self.device.type == "cpu" else free):
            return [whole, bands, frugal, *on_cpu]
        plans = [bands, frugal, *on_cpu] if for_bands <= free else [frugal, *on_cpu]
        self._say_once(
            f"{size}: computed {plans[0][0]}; as a whole it would take about {for_whole / 2**30:.1f} GiB of memory, "
            f"of which {free / 2**30:.1f} GiB can be had"
        )
        return plans

    def _needed(self, low):
        """Estimates of the peak of memory, bytes: as a whole, and in bands."""
        pixels = low[:, 0].numel()
        one_map = pixels * self.enhancer.options["ngf"] * (4 if self.amp is None else 2)
        images = pixels * 60  # A, pre_A, mask, fake_B and their copies
        return WHOLE_MAPS * one_map, one_map + images + BAND_OVERHEAD

    def _say_once(self, line):
        if line not in self.said:
            self.said.add(line)
            self.say(line)

    def _autocast(self):
        return torch.autocast(self.device.type, self.amp, enabled=self.amp is not None)

    def _placed(self, low):
        if self.device.type == "cuda" and not low.is_cuda:  # from pinned memory the copy waits for nothing
            low = low.pin_memory().to(self.device, non_blocking=True)
        return self.enhancer.placed(low).contiguous(memory_format=self.format)

    def _whole(self, low):
        with self._autocast():
            return self.enhancer(self._placed(low), stages=True)

    def _bands(self, low, dtype=None):
        band = None if self.tile == "auto" else self.tile
        with self._autocast():
            return enhance_in_bands(self.enhancer, self._placed(low), band, dtype)

    def frugal_bands(self, low):
        """Enhance a batch in bands whose stored maps have 16 bits: half the memory, no longer exact."""
        # Norms of the image at hand keep values in the range of fp16, which is the finer of the two.
        bounded = issubclass(NORMS[self.enhancer.options["norm"]], IMAGE_NORMS)
        narrow = torch.float16 if bounded else torch.bfloat16
        return self._bands(low, narrow)

    def _on_cpu(self, low):
        if self.on_cpu is None:
            # Its tensors are given to the copy ready-made, or they would be copied on the GPU first, which is full.
            tensors = {id(p): nn.Parameter(p.detach().cpu(), False) for p in self.enhancer.parameters()}
            tensors |= {id(buffer): buffer.cpu() for buffer in self.enhancer.buffers()}
            self.on_cpu = Inference(copy.deepcopy(self.enhancer, tensors), tile=self.tile, say=self._say_once)
        return self.on_cpu(low)
