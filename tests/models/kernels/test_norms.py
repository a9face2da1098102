"""Norms: what the sum of instance and layer norm computes, in each of its ways, and what it keeps."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.inference.tiles import Stored, normed
from models.kernels.norms import InstanceNorm, LayerInstanceNorm, by_statistics, fused_sum
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


def test_the_kernels_of_a_gpu():
    """Triton interprets them on a CPU, if it is told so before anything imports it."""
    pytest.importorskip("triton")
    command = [sys.executable, "-c", "import test_norms; test_norms.check_kernels()"]
    folders = os.pathsep.join(map(str, (Path(__file__).parent, *sys.path)))
    subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": folders}, check=True)


def check_kernels():
    from models.kernels.layer_instance import LayerInstanceNormed

    for layout in LAYOUTS:
        norm, x = filled(), maps(torch.float).contiguous(memory_format=layout).requires_grad_()
        found = LayerInstanceNormed.apply(x, norm.instance_gain, norm.layer_gain, norm.bias, norm.eps)
        assert found.is_contiguous(memory_format=layout)
        _check_against_the_definition(norm, x, found)


@pytest.mark.parametrize("kind", [InstanceNorm, LayerInstanceNorm])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_by_statistics(kind, layout):
    norm, x = kind(5), maps(torch.float).contiguous(memory_format=layout).requires_grad_()
    found = by_statistics(x, norm)
    torch.testing.assert_close(found, norm(x), atol=1e-5, rtol=1e-5)
    assert found.is_contiguous(memory_format=layout)
    (gradient,) = torch.autograd.grad(found.square().sum(), x)
    torch.testing.assert_close(gradient, torch.autograd.grad(norm(x).square().sum(), x)[0], atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_where_the_kernels_cannot_be_built():
    assert fused_sum() is None


@pytest.mark.cuda
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float, 1e-5), (torch.bfloat16, 0.02)])
def test_on_a_gpu(dtype, tolerance, layout):
    norm, x = filled().cuda(), maps(torch.float).to("cuda", dtype).contiguous(memory_format=layout).requires_grad_()
    found = norm(x)
    assert found.dtype == dtype and found.is_contiguous(memory_format=layout)
    _check_against_the_definition(norm, x, found, tolerance)


def _check_against_the_definition(norm, x, found, tolerance=1e-5):
    """Values and gradients, relative to double precision."""
    exact, wide = copy.deepcopy(norm).double(), x.detach().double().requires_grad_()
    expected = by_definition(exact, wide)
    weights = torch.randn_like(found)
    gradients = torch.autograd.grad((found * weights).sum(), (x, *norm.parameters()))
    true = torch.autograd.grad((expected * weights.double()).sum(), (wide, *exact.parameters()))
    for one, other in zip((found, *gradients), (expected, *true), strict=True):
        assert (one.double() - other).norm() < tolerance * other.norm()


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
