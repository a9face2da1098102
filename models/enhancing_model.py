"""The enhancer in the grammar of the CycleGAN family, for scripts that were written in it."""

from collections import OrderedDict
from pathlib import Path

import torch

from models.enhancer import Enhancer
from util.device import select_device
from util.stages import viewable


class EnhancingModel:
    """What ``create_model`` gives for the options of testing: set_input, forward or test, get_current_visuals.

    Args:
        opt: the options of testing; ``setup`` loads the weights in CHECKPOINTS_DIR/NAME.
    """

    def __init__(self, opt):
        self.opt = opt

    def setup(self, opt):
        """Load the networks, and print them if asked to."""
        self.load_networks(opt.epoch)
        if opt.verbose:
            print(self.enhancer)

    def load_networks(self, epoch):
        """Read {epoch}_net_X.pth (with ``--ema`` the averaged ones); see ``Enhancer.from_checkpoint``."""
        opt, folder = self.opt, Path(self.opt.checkpoints_dir) / self.opt.name
        self.enhancer = Enhancer.from_checkpoint(folder, epoch, select_device(opt.gpu_ids), opt.ema)
        for name, network in self.networks().items():
            setattr(self, f"net{name}", network)

    def networks(self):
        """The networks under their names in a checkpoint."""
        return self.enhancer.networks()

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
        names = ("real_A", "pre_A", "mask", "fake_B")
        return OrderedDict((name, viewable(name, getattr(self, name)).detach()) for name in names)
