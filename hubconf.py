"""For PyTorch Hub: torch.hub.load("OWNER/REPOSITORY", "nerco", weights="demo"); with source="local", a folder."""

from pathlib import Path

from models.enhancer import Enhancer

dependencies = ["torch", "torchvision", "numpy", "PIL", "skimage"]


def nerco(weights="demo", epoch="latest", device=None):
    """An ``Enhancer`` in evaluation mode: its ``enhance`` takes a file, a PIL image or an array.

    Args:
        weights: a folder in ``saves``, or the path of another one.
        epoch, device: see ``Enhancer.from_checkpoint``.
    """
    return Enhancer.from_checkpoint(Path(__file__).parent / "saves" / weights, epoch, device)
