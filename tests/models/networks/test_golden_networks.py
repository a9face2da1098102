"""Every network against the released code's numbers and checkpoint layouts."""

import pytest
import torch

from golden_weights import golden_arrays, golden_json, with_formula_weights
from models.losses.edges import EdgeFilter
from models.losses.gan import gan_loss
from models.networks.discriminators import build_discriminator
from models.networks.generators import build_generator
from models.networks.mask_extractor import MaskExtractor
from models.networks.nrn import NRN, ImplicitFunction

TOLERANCE = 1e-4  # in [-1, 1]; a level of 8 bits is 7.8e-3

NETWORKS = {
    "nrn": (lambda: ImplicitFunction(64, "cancelled"), "nrn"),
    "pre": (lambda: NRN(64, coords="cancelled"), "Pre"),
    "G_A_resnet9": (lambda: build_generator("resnet_9blocks", 6, ngf=8), "G_A"),
    "G_B_resnet9": (lambda: build_generator("resnet_9blocks", 3, ngf=8), "G_B"),
    "unet_128": (lambda: build_generator("unet_128", 3, ngf=8), "unet_128"),
    "D_basic": (lambda: build_discriminator("basic", ndf=8), "D_basic"),
    "D_pixel": (lambda: build_discriminator("pixel", ndf=8), "D_pixel"),
}


@pytest.mark.parametrize("gradients", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", NETWORKS)
def test_output_is_the_released_one(name, gradients, device):
    build, net_name = NETWORKS[name]
    golden = golden_arrays(f"nerco/{name}.npz")
    network = with_formula_weights(build(), net_name).to(device)
    with torch.set_grad_enabled(gradients):
        y = network(golden["x"].to(device))
    torch.testing.assert_close(y.detach().cpu(), golden["y"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("ngf", [16, 64])
def test_mask_extractor(ngf, device):  # as released: ngf / 16 units
    golden = golden_arrays(f"nerco/H_ngf{ngf}.npz")
    network = with_formula_weights(MaskExtractor(ngf, units=ngf // 16), "H").to(device)
    residual, mask = network(golden["x"].to(device))
    torch.testing.assert_close(residual.detach().cpu(), golden["h"], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(mask.detach().cpu(), golden["mask"], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(network.mask(golden["x"].to(device)), mask, atol=1e-6 * (device.type == "cuda"), rtol=0)


@pytest.mark.parametrize("gradients", [False, True], ids=["inference", "training"])
def test_absolute_coordinates_in_double_precision(gradients, device):
    golden = golden_arrays("nerco/nrn_absolute_fp64.npz")
    network = with_formula_weights(ImplicitFunction(64, "absolute"), "nrn").double().to(device)
    with torch.set_grad_enabled(gradients):
        y = network(golden["x"].double().to(device))
    torch.testing.assert_close(y.detach().cpu(), golden["y"].double(), atol=1e-10, rtol=0)


@pytest.mark.parametrize("x, y", [("x", "y"), ("x1", "y1")])
def test_edge_filter(x, y, device):
    golden = golden_arrays("nerco/edge.npz")
    found = EdgeFilter("gradient", "fixed").to(device)(golden[x].to(device))
    torch.testing.assert_close(found.cpu(), golden[y], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("is_real", [True, False])
@pytest.mark.parametrize("mode", ["lsgan", "vanilla", "wgangp"])
def test_gan_loss(mode, is_real):
    golden = golden_arrays("nerco/ganloss.npz")
    torch.testing.assert_close(gan_loss(mode, golden["x"], is_real), golden[f"{mode}_{is_real}"], atol=1e-6, rtol=0)


def test_both_loops(released_weights):
    golden = golden_arrays("nerco/full.npz")
    real_a, real_b = golden["real_A"], golden["real_B"]
    with torch.no_grad():
        pre, mask_extractor, enhance, degrade = (released_weights[net] for net in ("Pre", "H", "G_A", "G_B"))
        found = {"pre_A": pre(real_a)}
        found["H"], found["mask"] = mask_extractor(real_a)
        found["fake_B"] = enhance(torch.cat([real_a, found["pre_A"]], 1) * found["mask"])
        found["rec_A"] = degrade(found["fake_B"])
        found["fake_A"] = degrade(real_b * found["mask"])
        found["pre_A1"] = pre(found["fake_A"])
        found["rec_B"] = enhance(torch.cat([found["fake_A"], found["pre_A1"]], 1))
    for name, value in found.items():
        torch.testing.assert_close(value, golden[name], atol=TOLERANCE, rtol=0, msg=lambda text, n=name: f"{n}: {text}")


def expected_layouts():
    """(test id, how to build the network, the released entries) of every checkpoint layout."""
    for net, layout in golden_json("nerco/released_state_dict.json")["nets"].items():
        yield net, net, {"norm": "instance"}, layout["entries"]
    for title, layout in golden_json("nerco/other_state_dicts.json")["nets"].items():
        net, *settings = title.split("|")
        if "netG=resnet_unet" not in settings:  # dead in the release, and dropped here
            yield title, net, dict(setting.split("=") for setting in settings), layout["entries"]


@pytest.mark.parametrize("net, settings, entries", [pytest.param(*c[1:], id=c[0]) for c in expected_layouts()])
def test_checkpoint_layout(net, settings, entries):
    norm = settings["norm"]
    with torch.device("meta"):
        if net == "Pre":
            network = NRN(64, norm)
        elif net == "H":
            network = MaskExtractor(64, norm)
        elif net.startswith("G"):
            network = build_generator(settings.get("netG", "resnet_9blocks"), 6 if net == "G_A" else 3, norm=norm)
        else:
            layers = int(settings.get("n_layers_D", 3))
            network = build_discriminator(settings.get("netD", "basic"), n_layers=layers, norm=norm)
    found = [[key, list(value.shape), str(value.dtype)] for key, value in network.state_dict().items()]
    assert found == entries
