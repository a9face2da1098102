"""Started by torchrun: some training steps in double precision; every process saves its weights."""

import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parent
sys.path[:0] = [str(ROOT.parent), str(ROOT)]

from models import create_model
from options.train_options import TrainOptions
from sample_images import images_batch
from util import distributed

FLAGS = "--dataroot . --name d --gpu_ids -1 --ngf 16 --ndf 8 --crop_size 32 --no_text --lr_policy plateau"
STEPS = 3


def steps(share, shares):
    """Take training steps on a share of each batch of two images; the model."""
    model = create_model(TrainOptions().parse(FLAGS.split()))
    model.setup(model.opt)
    for network in model.networks().values():
        network.double()
    for number in range(STEPS):
        batch = images_batch(number, n=2, dtype=torch.float64)
        model.set_input({key: values[share::shares] for key, values in batch.items()})
        model.optimize_parameters()
    model.update_learning_rate()
    return model


def weights(model):
    return {name: network.state_dict() for name, network in model.networks().items()}


if __name__ == "__main__":
    torch.manual_seed(0)
    with distributed.processes(TrainOptions().parse(FLAGS.split())):
        model = steps(distributed.rank(), distributed.world_size())
        metric = model.schedules[0].plateau.best
        torch.save({"weights": weights(model), "metric": metric}, f"{sys.argv[1]}/{distributed.rank()}.pth")
