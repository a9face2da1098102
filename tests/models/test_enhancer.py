"""The enhancer alone: from a folder to images of any size."""

import pytest
import torch

from golden_weights import golden_arrays
from models.enhancer import Enhancer
from models.networks.generators import GENERATORS
from models.networks.layers import NORMS
from options.test_options import TestOptions
from sample_images import enhancer_folder, levels, photograph
from util.errors import WorkError


def stored_options(**values):
    opt = TestOptions().parse(["--dataroot", "d", "--name", "n", "--ngf", "16"])
    vars(opt).update({"nrn_coords": "absolute", "ablate": [], **values})
    return opt


KINDS = [(netG, norm, False) for netG in GENERATORS for norm in NORMS] + [
    ("resnet_9blocks", norm, True) for norm in NORMS
]


@pytest.mark.parametrize("netG, norm, dropout", KINDS)
def test_a_folder_without_options_is_read_off_its_weights(tmp_path, netG, norm, dropout):
    shape = {"ngf": 20, "netG": netG, "norm": norm, "dropout": dropout}
    original = enhancer_folder(tmp_path, nrn_coords="cancelled", **shape)
    restored = Enhancer.from_checkpoint(tmp_path, device="cpu")
    assert restored.options == {**shape, "nrn_coords": "cancelled", "ablate": []}
    assert not restored.training
    side = original.smallest
    x = torch.rand(1, 3, side, side) * 2 - 1
    with torch.inference_mode():
        assert torch.equal(restored(x), original(x))


def test_stored_options_are_followed(tmp_path):
    original = enhancer_folder(tmp_path, stored_options(), nrn_coords="absolute")
    restored = Enhancer.from_checkpoint(tmp_path, device="cpu")
    assert restored.options["nrn_coords"] == "absolute"
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(restored(x), original(x))


def test_weights_that_contradict_the_options_are_refused(tmp_path):
    enhancer_folder(tmp_path, stored_options(ngf=32))
    with pytest.raises(WorkError, match=r"latest_net_Pre\.pth: does not fit"):
        Enhancer.from_checkpoint(tmp_path, device="cpu")


def test_foreign_weights_are_refused(tmp_path):
    enhancer_folder(tmp_path)
    torch.save({"weight": torch.zeros(1)}, tmp_path / "latest_net_Pre.pth")
    with pytest.raises(WorkError, match="not NeRCo's"):
        Enhancer.from_checkpoint(tmp_path, device="cpu")


def test_golden_image(released_weights):
    golden = golden_arrays("nerco/full.npz")
    enhancer = Enhancer(nrn_coords="cancelled").eval()
    for net, network in enhancer.networks().items():
        network.load_state_dict(released_weights[net].state_dict())
    with torch.inference_mode():
        fake_b, pre_a, mask = enhancer(golden["real_A"], stages=True)
    for found, name in ((fake_b, "fake_B"), (pre_a, "pre_A"), (mask, "mask")):
        torch.testing.assert_close(found, golden[name], atol=1e-4, rtol=0)


@pytest.mark.parametrize("netG", ["resnet_9blocks", "unet_128"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (7, 8), (8, 8), (13, 30), (31, 33)])
def test_any_size(netG, size):
    enhancer = Enhancer(16, netG=netG).eval().double()  # norms of very few values magnify rounding
    x = torch.rand(2, 3, *size, dtype=torch.float64) * 2 - 1
    with torch.inference_mode():
        y = enhancer(x)
        assert y.shape == x.shape and y.abs().max() <= 1
        # Each image of a batch is enhanced as if alone.
        torch.testing.assert_close(enhancer(x[1:]), y[1:], atol=1e-9, rtol=0)


def test_padding_is_what_the_networks_see():
    enhancer = Enhancer(16).eval()
    x = torch.rand(1, 3, 14, 12) * 2 - 1
    padded = torch.cat([x, x[:, :, [12, 11]]], dim=2)  # two rows, reflected
    with torch.inference_mode():
        assert torch.equal(enhancer(x), enhancer(padded)[:, :, :14])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "CMYK"])
def test_a_image_in_a_image_out(mode):
    image = photograph((21, 10)).convert(mode)
    if mode == "RGBA":
        image.putalpha(77)
    result = Enhancer(16).eval().enhance(image)
    assert result.size == (21, 10)
    assert result.mode == ("RGBA" if mode == "RGBA" else "RGB")
    if mode == "RGBA":
        assert (levels(result)[..., 3] == 77).all()


def test_double_precision():
    enhancer = Enhancer(16).eval()
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.inference_mode():
        single = enhancer(x)
        double = enhancer.double()(x.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, atol=1e-4, rtol=0)
