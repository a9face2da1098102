"""Small models to train in tests, and their steps in parts."""

from types import SimpleNamespace

import torch

from models import create_model
from options.train_options import TrainOptions

SMALL = "--dataroot . --name run --gpu_ids -1 --ngf 16 --ndf 8 --crop_size 32 --no_text"


def small_model(folder, *flags):
    opt = TrainOptions().parse([*SMALL.split(), "--checkpoints_dir", str(folder), *flags])
    torch.manual_seed(opt.seed)
    return create_model(opt)


def step(model, batch):
    """One training step; what it reports, as a number."""
    model.set_input(batch)
    return model.optimize_parameters().item()


def objective(model, batch):
    """The generators' total of a batch, and its losses {name: scalar tensor}: their graph is still there."""
    scaler, model.scaler = model.scaler, SimpleNamespace(scale=lambda loss: SimpleNamespace(backward=lambda: None))
    model.set_input(batch)
    model.forward()
    model.backward_G()
    model.scaler = scaler
    return model.loss_G, model.losses()
