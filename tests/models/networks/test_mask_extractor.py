"""The mask extractor's channel attention: how many units it has, and weights of earlier versions, which had fewer."""

import pytest
import torch

from models import create_model
from models.enhancer import Enhancer
from models.networks.mask_extractor import MaskExtractor
from options.train_options import TrainOptions
from sample_images import enhancer_folder
from util.checkpoint import net_file, save_options

FLAGS = "--dataroot . --name run --gpu_ids -1 --ngf 16 --ndf 8 --crop_size 32 --no_text --ema 0.9"


@pytest.mark.parametrize("ngf, units", [(8, 4), (16, 4), (32, 4), (64, 4), (128, 8)])
def test_at_least_four_units(ngf, units):
    assert MaskExtractor(ngf).fc1.out_channels == units


def test_narrow_weights_of_earlier_versions_enhance_as_before(tmp_path):
    enhancer = enhancer_folder(tmp_path, nrn_coords="cancelled")
    earlier = enhancer.mask_extractor = MaskExtractor(16, units=1).eval()
    torch.save(earlier.state_dict(), tmp_path / net_file("latest", "H"))
    found = Enhancer.from_checkpoint(tmp_path, device="cpu")
    assert found.mask_extractor.fc1.out_channels == found.mask_extractor.fc2.in_channels == 1
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert all(torch.equal(a, b) for a, b in zip(found(x, stages=True), enhancer(x, stages=True), strict=True))


def trained(tmp_path, *flags):
    """A model after one more step."""
    model = create_model(TrainOptions().parse([*FLAGS.split(), "--checkpoints_dir", str(tmp_path), *flags]))
    if not flags:
        earlier = MaskExtractor(16, units=1).state_dict()
        model.netH.take_shape(earlier)
        model.average.networks["H"].take_shape(earlier)
    model.setup(model.opt)
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    model.set_input({"A": x, "B": -x, "A_paths": ["a"], "B_paths": ["b"]})
    model.optimize_parameters()
    return model


def test_narrow_runs_of_earlier_versions_go_on(tmp_path):
    model = trained(tmp_path)
    model.save("latest", {"epoch": 1, "seen": 1, "pictures": 1})
    save_options(model.folder, model.opt)
    resumed = trained(tmp_path, "--continue_train")
    for network in (resumed.netH, resumed.average.networks["H"]):
        assert [layer.weight.shape[dim] for layer, dim in ((network.fc1, 0), (network.fc2, 1))] == [1, 1]
