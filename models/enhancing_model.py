"""The enhancer in the grammar of the CycleGAN family, for scripts that were written in it."""

from collections import OrderedDict
from pathlib import Path

import torch

from models.enhancer import Enhancer
from util.device import select_device


class EnhancingModel:
    """What ``create_model`` gives for the options of testing: set_input, forward or test, get_current_visuals.

    Args:
        opt: the options of testing; the networks are those of the weights in CHECKPOINTS_DIR/NAME.
    """

    def __init__(self, opt):
        self.opt, self.device = opt, select_device(opt.gpu_ids)
        self.load_networks(opt.epoch)

    def load_networks(self, epoch):
        """Read {epoch}_net_X.pth; WorkError as from ``Enhancer.from_checkpoint``."""
        self.enhancer = Enhancer.from_checkpoint(Path(self.opt.checkpoints_dir) / self.opt.name, epoch, self.device)
        for name, network in self.networks().items():
            setattr(self, f"net{name}", network)

    def networks(self):
        """The networks under their names in a checkpoint."""
        return self.enhancer.networks()

    def setup(self, opt):
        """Print the networks if asked to; they are loaded already."""
        if opt.verbose:
            print(self.enhancer)

    def set_input(self, batch):
        """Take a batch {"A": (N, 3, H, W) in [-1, 1], any size; "A_paths"}."""
        self.real_A, self.image_paths = self.enhancer.placed(batch["A"]), batch["A_paths"]

    def forward(self):
        """Enhance the batch."""
        self.fake_B, self.pre_A, self.mask = self.enhancer(self.real_A, stages=True)

    def test(self):
        """``forward`` without gradients."""
        with torch.inference_mode():
            self.forward()

    def get_current_visuals(self):
        """The images of the last batch, {name: (N, C, H, W) in [-1, 1]}."""
        stages = {"real_A": self.real_A, "pre_A": self.pre_A, "mask": self.mask * 2 - 1, "fake_B": self.fake_B}
        return OrderedDict((name, stage.detach()) for name, stage in stages.items())
