"""Enhancement in bands of rows gives what enhancement as a whole gives, in less memory and without seams."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from models.enhancer import Enhancer
from models.inference.tiled_enhancer import enhance_in_bands
from models.inference.tiles import Reflected, Stored, statistics
from models.networks.layers import init_weights
from sample_images import photograph
from util.image_io.tensors import to_tensor

KINDS = [
    {},
    {"norm": "batch"},
    {"norm": "layer_instance"},
    {"norm": "none"},
    {"ablate": ("nrn",)},
    {"ablate": ("mask",)},
    {"nrn_coords": "cancelled", "dropout": True},
    {"netG": "resnet_6blocks"},
    {"netG": "resnet_9blocks_keep"},
    {"netG": "unet_128"},
]


def small(gain=0.1, **kind):
    torch.manual_seed(1)
    return init_weights(Enhancer(16, **kind), gain=gain).eval()


def dark(size):
    return to_tensor(photograph(size, brightness=0.3))[None]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("size, band", [((22, 37), 8), ((64, 40), 12), ((64, 40), None), ((9, 70), 24)])
def test_bands_are_exact(kind, size, band):
    enhancer = small(**kind).double()
    low = torch.cat([dark(size), dark(size).flip(3)]).double()
    with torch.inference_mode():
        whole = enhancer(low, stages=True)
    for found, expected in zip(enhance_in_bands(enhancer, low, band), whole, strict=True):
        # Without an instance norm pre_A reaches tens of thousands, of which rounding takes its share.
        torch.testing.assert_close(found, expected, atol=1e-9 * max(1, expected.abs().max().item() / 1000), rtol=0)


def jumps(values):
    """How much each row differs from the one above, in gray levels: (H - 1,)."""
    return values.diff(dim=2).abs().mean((0, 1, 3)) * 127.5


@pytest.mark.parametrize("dtype, most", [(None, 0.05), (torch.float16, 1.0)])
def test_no_seams(dtype, most):
    enhancer, low = small(gain=0.02), dark((96, 128))
    with torch.inference_mode():
        whole = enhancer(low)
    difference = enhance_in_bands(enhancer, low, 16, dtype)[0] - whole
    assert difference.abs().max() * 127.5 <= most
    across = jumps(difference)
    borders = torch.arange(1, 128) % 16 == 0
    assert borders.sum() == 7
    assert across[borders].mean() <= 1.5 * across[~borders].mean() + 1e-4


def test_statistics_do_not_lose_digits():
    values = torch.randn(2, 5, 30, 7, generator=torch.Generator().manual_seed(0)) * 0.01 + 1000
    mean, variance = statistics(Stored(values, band=4))
    expected = torch.var_mean(values.double(), (2, 3), correction=0, keepdim=True)
    torch.testing.assert_close((variance, mean), expected, rtol=1e-3, atol=0)  # sums of squares would be wrong by 100 %


@pytest.mark.parametrize("height", [2, 3, 8])
def test_reflection_of_few_rows(height):
    margin = 1 if height == 2 else 2
    values = torch.rand(1, 1, height, 6)
    padded = torch.nn.functional.pad(values, (margin,) * 4, mode="reflect")
    source = Reflected(Stored(values, band=1), margin)
    for top in range(height + 2 * margin):
        for bottom in range(top + 1, height + 2 * margin + 1):
            assert torch.equal(source.rows(top, bottom), padded[:, :, top:bottom])


class LargeTensors(TorchDispatchMode):
    """Counts the tensors from a size on that are alive at once."""

    def __init__(self, values):
        super().__init__()
        self.values, self.alive, self.most = values, [], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple) else [result]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().nbytes() >= 4 * self.values:
                self.alive.append((tensor.untyped_storage().data_ptr(), weakref.ref(tensor)))
        self.alive = [(place, tensor) for place, tensor in self.alive if tensor() is not None]
        self.most = max(self.most, len({place for place, _ in self.alive}))
        return result


def test_one_map_of_full_size_at_most():
    enhancer, low = small(), dark((64, 256))
    counts = {}
    for name, run in (("whole", enhancer), ("bands", lambda x: enhance_in_bands(enhancer, x, 8))):
        with LargeTensors(16 * 64 * 256) as large, torch.inference_mode():
            run(low)
        counts[name] = large.most
    assert counts["bands"] == 1 and counts["whole"] > 2
