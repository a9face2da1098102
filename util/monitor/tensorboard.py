"""Losses and current images as TensorBoard reads them."""

from torch.utils.tensorboard import SummaryWriter  # needs the package tensorboard, which is optional

from util.image_io.tensors import to_levels
from util.stages import LOSSES


class TensorBoard:
    """Writes event files; steps are images seen.

    Args:
        folder: for the event files; earlier ones in it stay.
        resume_at: number of images after which a resumed run goes on, or None: what was written beyond is not shown.
    """

    def __init__(self, folder, resume_at=None):
        self.writer = SummaryWriter(folder, purge_step=None if resume_at is None else resume_at + 1)

    def show_losses(self, images, rate, losses):
        """Add the losses {name: float} and the learning rate after a number of images."""
        for name, value in losses.items():
            self.writer.add_scalar(f"{LOSSES.get(name, 'other')}/{name}", value, images)
        self.writer.add_scalar("learning rate", rate, images)

    def show_images(self, images, visuals):
        """Add the current images, {stage: (N, C, H, W) in [-1, 1]}, the first of each batch."""
        for stage, batch in visuals.items():
            self.writer.add_image(stage, to_levels(batch[0]), images, dataformats="HWC")
        self.writer.flush()

    def close(self):
        """Write what is held back."""
        self.writer.close()
