"""Norms: what the sum of instance and layer norm computes, in each of its ways, and what it keeps."""

import pytest
import torch

from models.inference.tiles import Stored, normed
from models.kernels.norms import InstanceNorm, LayerInstanceNorm
from models.networks.layers import NORMS, norm_layer

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def filled(channels=5):
    """A norm with random parameters."""
    norm = LayerInstanceNorm(channels)
    for parameter in norm.parameters():
        torch.nn.init.normal_(parameter)
    return norm


def maps(dtype=torch.double):
    """Feature maps (2, 5, 6, 7) whose channels differ in mean and scale."""
    channel = torch.arange(5, dtype=dtype)[:, None, None]
    return torch.randn(2, 5, 6, 7, dtype=dtype) * (1 + channel) + channel**2


def by_definition(norm, x):
    """Both norms, one after the other (U-GAT-IT, equation 1, with free weights)."""
    instance = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), correction=0, keepdim=True) + norm.eps).sqrt()
    layer = (x - x.mean((1, 2, 3), keepdim=True)) / (x.var((1, 2, 3), correction=0, keepdim=True) + norm.eps).sqrt()
    gains = norm.instance_gain[:, None, None], norm.layer_gain[:, None, None]
    return gains[0] * instance + gains[1] * layer + norm.bias[:, None, None]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("gradients", [True, False])
def test_the_sum_of_both_norms(layout, gradients):
    norm = filled().double()
    x = maps().contiguous(memory_format=layout)
    expected = by_definition(norm, x)
    with torch.set_grad_enabled(gradients):
        found = norm(x.clone())
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)  # statistics of channels last are in single
    assert found.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients(layout):
    norm, x = filled().double(), maps().contiguous(memory_format=layout).requires_grad_()
    weights = torch.randn_like(x)
    inputs = x, *norm.parameters()
    found = torch.autograd.grad((norm(x) * weights).sum(), inputs)
    expected = torch.autograd.grad((by_definition(norm, x) * weights).sum(), inputs)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bits(dtype):
    norm, x = filled(), maps(torch.float)
    with torch.no_grad():
        expected = norm(x.clone())
        found = norm.to(dtype)(x.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("norm", NORMS)
def test_bands_norm_as_a_whole(norm):
    layer, x = norm_layer(norm, 5).double().eval(), maps()
    with torch.no_grad():
        banded = normed(layer, Stored(x.clone(), 2))
        found = torch.cat([rows for _, _, rows in banded.bands()], dim=2)
        torch.testing.assert_close(found, layer(x.clone()), atol=1e-10, rtol=1e-10)


def test_what_holds_for_a_image_as_a_whole_passes():
    """A network that knows how bright a scene is can say so with the mean of a channel: instance norm removes it."""
    x = torch.randn(1, 5, 6, 7)
    brighter = x.clone()
    brighter[:, 2] += 3
    means = [norm(y).mean((2, 3))[0, 2] for norm in (InstanceNorm(5), LayerInstanceNorm(5)) for y in (x, brighter)]
    assert abs(means[1] - means[0]) < 1e-5
    assert means[3] - means[2] > 0.5


def test_exposure_does_not_pass():
    x = maps(torch.float) * 10
    norm = filled()
    torch.testing.assert_close(norm(4 * x), norm(x), atol=1e-3, rtol=1e-3)
