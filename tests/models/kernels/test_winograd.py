"""Winograd's convolutions are the direct ones, forwards and backwards, and are used where they are faster alone."""

import pytest
import torch
import torch.nn.functional as F

from models.kernels import winograd
from models.kernels.norms import channel_statistics
from models.kernels.winograd import CHANNELS, Conv3x3, convolve, weight_gradient


# Sides that are multiples of a tile and that are not, one tile, several strips.
@pytest.mark.parametrize("size", [(1, 1), (4, 8), (5, 7), (66, 130)])
def test_the_algorithm_is_exact(size):
    height, width = size
    x = torch.randn(2, 3, height + 2, width + 2, dtype=torch.double, requires_grad=True)
    weight = torch.randn(5, 3, 3, 3, dtype=torch.double, requires_grad=True)
    expected = F.conv2d(x, weight)
    gradient = torch.randn_like(expected)
    of_x, of_weight = torch.autograd.grad(expected, (x, weight), gradient)
    same = {"atol": 1e-10, "rtol": 1e-10}
    with torch.no_grad():
        torch.testing.assert_close(convolve(x, weight), expected, **same)
        torch.testing.assert_close(convolve(gradient, weight, transposed=True), of_x, **same)
        torch.testing.assert_close(weight_gradient(x, gradient), of_weight, **same)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_single_precision_loses_little(layout):
    conv = Conv3x3(CHANNELS, CHANNELS + 1, bias=False)
    x = torch.randn(2, CHANNELS, 23, 18).contiguous(memory_format=layout).requires_grad_()
    y = conv(x)
    gradient = torch.randn_like(y)
    found = [y, *torch.autograd.grad(y, (x, *conv.parameters()), gradient)]
    assert y.grad_fn is not None and y.is_contiguous(memory_format=layout)
    exact = torch.nn.Conv2d(CHANNELS, CHANNELS + 1, 3, bias=False).double()
    exact.load_state_dict(conv.state_dict())
    x = x.detach().double().requires_grad_()
    y = exact(x)
    expected = [y, *torch.autograd.grad(y, (x, *exact.parameters()), gradient.double())]
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() < 5e-5 * other.std()


@pytest.mark.parametrize("needed", [(True, False), (False, True)])
def test_what_is_frozen_has_no_gradient(needed):
    conv = Conv3x3(CHANNELS, CHANNELS).requires_grad_(needed[1])
    x = torch.randn(1, CHANNELS, 6, 6, requires_grad=needed[0])
    conv(x).sum().backward()
    assert (x.grad is not None, conv.weight.grad is not None) == needed


def test_others_convolve_directly(monkeypatch):
    asked = []
    monkeypatch.setattr(winograd, "convolve", lambda x, weight: asked.append(x.shape) or convolve(x, weight))
    wide, narrow = Conv3x3(CHANNELS, CHANNELS), Conv3x3(CHANNELS - 1, CHANNELS)
    x = torch.randn(1, CHANNELS, 6, 6)
    with torch.no_grad():
        narrow(x[:, 1:])
        wide.double()(x.double())
        wide.float()
        with torch.autocast("cpu", torch.bfloat16):
            wide(x)
        torch.jit.trace(wide, x, check_trace=False)
        assert asked == []
        wide(x)
    assert asked == [x.shape]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_statistics_keep_their_digits(layout):
    # Means of ten deviations, more rows than are added up at a time.
    x = (torch.randn(2, 5, 300, 250) * 3 + 30).contiguous(memory_format=layout)
    mean, variance = channel_statistics(x)
    assert mean.shape == variance.shape == (2, 5, 1, 1)
    torch.testing.assert_close(mean.double(), x.double().mean((2, 3), keepdim=True), atol=0, rtol=1e-5)
    torch.testing.assert_close(variance.double(), x.double().var((2, 3), correction=0, keepdim=True), atol=0, rtol=1e-5)
