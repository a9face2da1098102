"""Reflection padding: the values and gradients of PyTorch's own, in the layout of the maps."""

import pytest
import torch

from models.kernels.padding import ReflectionPad2d, reflected

LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("padding", [1, 3])
@pytest.mark.parametrize("size", [(1, 3, 4, 5), (2, 3, 9, 11)])  # the first: rows and columns that are reflected twice
def test_values_and_gradients(size, padding, layout):
    x = torch.randn(size, dtype=torch.double).contiguous(memory_format=layout).requires_grad_()
    expected = torch.nn.ReflectionPad2d(padding)(x)
    found = ReflectionPad2d(padding)(x)
    assert torch.equal(found, expected) and found.is_contiguous(memory_format=layout)
    weights = torch.randn_like(expected)
    given = weights.clone(memory_format=torch.preserve_format)
    (gradient,) = torch.autograd.grad(found, x, given)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, x, weights)[0])
    assert gradient.is_contiguous(memory_format=layout) and torch.equal(given, weights)
    assert torch.autograd.gradcheck(ReflectionPad2d(padding), x)


@pytest.mark.parametrize("padding", [1, 3])
def test_channels_last_stay_so_as_on_a_gpu(padding):
    x = torch.randn(2, 3, 4, 9).contiguous(memory_format=torch.channels_last)
    found = reflected(x, padding)
    assert torch.equal(found, torch.nn.ReflectionPad2d(padding)(x))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_autocast_on_a_cpu_keeps_16_bits():
    x = torch.randn(1, 3, 8, 9, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        padded = ReflectionPad2d(1)(x)
    assert padded.dtype == torch.bfloat16
    assert torch.equal(padded, torch.nn.ReflectionPad2d(1)(x))
