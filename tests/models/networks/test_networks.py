"""What holds for the networks at any width, norm and batch size."""

import pytest
import torch

from models.losses.edges import EDGE_FILTERS, EdgeFilter
from models.losses.gan import gradient_penalty
from models.networks import nrn
from models.networks.discriminators import DISCRIMINATORS, build_discriminator, smallest_input
from models.networks.generators import GENERATORS, build_generator, size_multiple, smallest_side
from models.networks.layers import INIT_TYPES, NORMS, batched, init_weights
from models.networks.mask_extractor import MaskExtractor
from models.networks.nrn import NRN, ImplicitFunction


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("ngf", [8, 16, 24])
def test_widths_norms_and_batches(ngf, norm):
    x = torch.rand(2, 3, 8, 12) * 2 - 1
    assert NRN(ngf, norm)(x).shape == (2, 3, 8, 12)
    residual, mask = MaskExtractor(ngf, norm)(x)
    assert residual.shape == (2, 3, 8, 12) and mask.shape == (2, 1, 8, 12)
    assert build_generator("resnet_6blocks", 3, ngf=ngf, norm=norm)(x).shape == (2, 3, 8, 12)


@pytest.mark.parametrize("name", GENERATORS)
def test_the_smallest_input_of_a_generator(name):
    side = smallest_side(name)
    x = torch.rand(1, 3, side, side + size_multiple(name))
    assert build_generator(name, 3, ngf=16)(x).shape == x.shape


@pytest.mark.parametrize("n_layers", [1, 3, 4])
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_smallest_input_of_a_discriminator(name, n_layers):
    side = smallest_input(name, n_layers)
    network = build_discriminator(name, ndf=8, n_layers=n_layers)
    assert network(torch.rand(1, 3, side, side)).numel() >= 1
    with pytest.raises((ValueError, RuntimeError)):
        network(torch.rand(1, 3, side - 1, side - 1))


def test_dropout_is_random_in_training_only():
    x = torch.rand(1, 3, 16, 16)
    network = build_generator("resnet_6blocks", 3, ngf=16, dropout=True)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize("init_type", INIT_TYPES)
def test_initial_weights(init_type):
    network = init_weights(build_generator("resnet_9blocks", 3, ngf=16, norm="batch"), init_type, 0.02)
    weight = network.model[10].conv_block[1].weight.detach()  # (64, 64, 3, 3)
    fan_in, fan_out = 64 * 9, 64 * 9
    expected = {
        "normal": 0.02,
        "xavier": 0.02 * (2 / (fan_in + fan_out)) ** 0.5,
        "kaiming": (2 / fan_in) ** 0.5,
        "orthogonal": 0.02 * fan_in**-0.5,
    }[init_type]
    assert weight.std().item() == pytest.approx(expected, rel=0.05)
    if init_type == "orthogonal":
        flat = weight.flatten(1) / 0.02
        torch.testing.assert_close(flat @ flat.T, torch.eye(64), atol=1e-5, rtol=0)
    assert network.model[26].bias.detach().abs().max() == 0
    assert network.model[2].weight.detach().mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("coords", ["absolute", "cancelled"])
def test_strips_of_any_height_give_the_whole(coords, monkeypatch):
    network = ImplicitFunction(16, coords).double()
    features = torch.rand(2, 16, 11, 7, dtype=torch.float64)
    whole = network(features).detach()
    for rows in (1, 2, 5, 11):
        monkeypatch.setattr(nrn, "STRIP_VALUES", rows * 2 * 256 * 7)
        with torch.no_grad():
            torch.testing.assert_close(network(features), whole, atol=1e-12, rtol=0)


@pytest.mark.parametrize("coords", ["absolute", "cancelled"])
def test_nrn_is_the_mlp_on_gathered_inputs(coords):
    """The definition, written out: unfold the neighbourhoods, append coordinates, run the MLP on every pixel."""
    network = ImplicitFunction(16, coords).double()
    features = torch.rand(1, 16, 5, 6, dtype=torch.float64)
    near = torch.nn.functional.unfold(features, 3, padding=1)[0].T  # (30, 144)
    centres = [-1 + (2 * k + 1) / n for n in (5, 6) for k in range(n)]
    inputs = []
    for i in range(5):
        for j in range(6):
            y, x = centres[i], centres[5 + j]
            encoded = [
                part(torch.tensor(2.0**level * torch.pi * c, dtype=torch.float64)).item()
                for c in (y, x)
                for part in (torch.sin, torch.cos)
                for level in range(8)
            ]
            place = [y, x, *encoded] if coords == "absolute" else [0.0] * 34
            inputs.append(torch.cat([near[i * 6 + j], torch.tensor([*place, 2.0, 2.0], dtype=torch.float64)]))
    expected = network.imnet.layers(torch.stack(inputs)).T.view(1, 3, 5, 6)
    torch.testing.assert_close(network(features), expected, atol=1e-12, rtol=0)


def test_batched_calls_equal_separate_calls():
    network = build_generator("resnet_6blocks", 3, ngf=16).double()
    first, second, larger = (torch.rand(1, 3, side, 16, dtype=torch.float64) for side in (16, 16, 24))
    for found, x in zip(batched(network, first, second), (first, second), strict=True):
        torch.testing.assert_close(found, network(x), atol=1e-12, rtol=0)
    assert [y.shape[2] for y in batched(network, first, larger)] == [16, 24]


def test_batch_norm_is_not_batched():
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(1))
    first, second = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    assert all(y.abs().max() < 1e-6 for y in batched(network, first, second))


@pytest.mark.parametrize("kind", EDGE_FILTERS)
def test_edge_filters(kind):
    edges = EdgeFilter(kind, "fixed").double()
    inside = (0, 0, slice(2, -2), slice(2, -2))
    flat = torch.full((1, 1, 12, 12), 0.3, dtype=torch.float64)
    assert edges(flat)[inside].max().item() == pytest.approx(4e-3)  # 4 sqrt(1e-6)
    ramp = 0.1 * torch.arange(12, dtype=torch.float64).expand(1, 1, 12, 12)
    slope = 0.0 if kind.startswith("laplacian") else 0.2  # over two pixels
    assert edges(ramp)[inside].mean().item() == pytest.approx(4 * (slope**2 + 1e-6) ** 0.5)
    spot = torch.zeros(1, 1, 12, 12, dtype=torch.float64)
    spot[0, 0, 6, 6] = 1
    peak = {"gradient": 0, "sobel": 0, "laplacian4": 4, "laplacian8": 8}[kind]
    assert edges(spot)[0, 2, 6, 6].item() == pytest.approx(4 * (peak**2 + 1e-6) ** 0.5)


def test_random_projection_is_fresh_at_every_call():
    edges, x = EdgeFilter("gradient", "random"), torch.rand(1, 3, 8, 8)
    first, second = edges(x), edges(x)
    assert not torch.allclose(first, second)
    magnitude = EdgeFilter("gradient", "fixed")(x)[:, :1]
    for channel in range(3):  # 4 (w magnitude + b): a line over the map, with |w| and |b| up to 1
        line = torch.linalg.lstsq(
            torch.stack([magnitude.flatten(), torch.ones(64)], 1), first[0, channel].reshape(-1, 1)
        ).solution.flatten()
        torch.testing.assert_close(magnitude[0, 0] * line[0] + line[1], first[0, channel], atol=1e-4, rtol=0)
        assert line[0].abs() <= 1 and line[1].abs() <= 4


def test_edges_of_a_flat_image_have_a_finite_gradient():
    x = torch.zeros(1, 3, 8, 8, requires_grad=True)
    EdgeFilter()(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_gradient_penalty_of_a_known_critic():
    class Slope(torch.nn.Module):
        def forward(self, x):
            return 3 * x[:, 0, 0, 0]

    real, fake = torch.rand(2, 2, 3, 4, 4)
    assert gradient_penalty(Slope(), real, fake).item() == pytest.approx((3 - 1) ** 2)


def test_compiled_the_implicit_function_is_one_strip(monkeypatch):
    """Strips are a loop, whose length would have a compiled network compiled anew at each height."""
    network, features = ImplicitFunction(16), torch.rand(1, 16, 8, 12)
    monkeypatch.setattr(nrn, "STRIP_VALUES", 1)
    with torch.no_grad():
        expected = network(features)
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
        monkeypatch.setattr(nrn.Evaluation, "rows", None)
        torch.testing.assert_close(network(features), expected)


def test_edges_are_not_rounded_to_tf32(monkeypatch):
    allowed = []
    real = torch.nn.functional.conv2d
    spy = lambda *given, **named: allowed.append(torch.backends.cudnn.allow_tf32) or real(*given, **named)  # noqa: E731
    monkeypatch.setattr(torch.nn.functional, "conv2d", spy)
    EdgeFilter()(torch.rand(1, 3, 4, 4))
    assert allowed == [False] and torch.backends.cudnn.allow_tf32
