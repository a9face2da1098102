"""How a batch is computed: as a whole, in bands, in 16 bits, and what happens when memory runs out."""

import pytest
import torch

from models.enhancer import Enhancer
from models.inference import runner as module
from models.inference.runner import Inference
from models.networks.layers import init_weights
from sample_images import photograph
from util.errors import WorkError
from util.image_io.tensors import to_tensor
from util.memory import free_memory


@pytest.fixture
def enhancer():
    torch.manual_seed(1)
    return init_weights(Enhancer(16), gain=0.1).eval()


@pytest.fixture
def low():
    return to_tensor(photograph((46, 37), brightness=0.3))[None]


@pytest.fixture
def expected(enhancer, low):
    with torch.inference_mode():
        return enhancer(low, stages=True)


@pytest.fixture
def said():
    return []


def free(monkeypatch, amount):
    monkeypatch.setattr(module, "free_memory", lambda device: amount)


def out_of_memory(*args, **kwargs):
    raise torch.OutOfMemoryError("no memory left")


@pytest.mark.parametrize("switches", [{}, {"channels_last": True}, {"tile": "off"}, {"tile": 12}])
def test_exact_ways(enhancer, low, said, switches):
    enhancer.double()  # such weights magnify single precision's rounding to 3e-4
    with torch.inference_mode():
        expected = enhancer(low.double(), stages=True)
    for found, wanted in zip(Inference(enhancer, **switches, say=said.append)(low), expected, strict=True):
        torch.testing.assert_close(found, wanted.float(), atol=1e-6, rtol=0)
    assert said == []


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
@pytest.mark.parametrize("tile", ["off", 16])
def test_sixteen_bits_are_near(enhancer, low, amp, tile):
    init_weights(enhancer)  # random weights of a greater scale would magnify any rounding
    with torch.inference_mode():
        expected = enhancer(low, stages=True)
    found = Inference(enhancer, amp=amp, tile=tile)(low)
    assert all(x.dtype == torch.float32 for x in found)
    away = (found[0] - expected[0]).abs()
    assert 0 < away.mean() * 127.5 < 2


@pytest.mark.parametrize(
    "megabytes, way",
    [(100, None), (10, "in bands of rows; as"), (4.2, "feature maps kept in 16 bits; as"), (1, "16 bits; as")],
)
def test_memory_decides(enhancer, monkeypatch, said, megabytes, way):
    free(monkeypatch, megabytes * 10**6)
    monkeypatch.setattr(module, "BAND_OVERHEAD", 0)
    low = torch.zeros(1, 3, 160, 200)
    calls = []
    monkeypatch.setattr(module, "enhance_in_bands", lambda enhancer, low, band, dtype: calls.append(dtype) or [low] * 3)
    run = Inference(enhancer, say=said.append)
    run(low)
    run(low)
    assert len(said) == (0 if way is None else 1)
    if way:
        assert way in said[0] and said[0].startswith("200x160: computed in bands")
        assert calls == 2 * [torch.float16 if "16 bits" in way else None]


@pytest.mark.parametrize(
    "norm, dtype",
    [
        ("instance", torch.float16),
        ("layer_instance", torch.float16),
        ("batch", torch.bfloat16),
        ("none", torch.bfloat16),
    ],
)
def test_stored_maps_have_the_range_that_they_need(low, monkeypatch, norm, dtype):
    monkeypatch.setattr(module, "enhance_in_bands", lambda enhancer, low, band, dtype: dtype)
    assert Inference(Enhancer(16, norm=norm).eval()).frugal_bands(low) == dtype


def test_very_large_images_leave_memory_to_others(enhancer, monkeypatch, said):
    monkeypatch.setattr(module, "enhance_in_bands", lambda enhancer, low, band, dtype: [low] * 3)
    monkeypatch.setattr(module, "WHOLE_ON_CPU", 10**7)
    Inference(enhancer, say=said.append)(torch.zeros(1, 3, 160, 200))
    assert said[0].startswith("200x160: computed in bands of rows; as")


def test_out_of_memory_goes_on_in_bands(enhancer, low, expected, said, monkeypatch):
    monkeypatch.setattr(enhancer, "forward", out_of_memory)
    found = Inference(enhancer, say=said.append)(low)
    torch.testing.assert_close(found[0], expected[0], atol=1e-3, rtol=0)
    assert said == ["46x37: out of memory as a whole; going on in bands of rows"]


def test_a_gpu_that_is_too_small_leaves_it_to_the_cpu(enhancer, low, expected, said, monkeypatch):
    run = Inference(enhancer, say=said.append)
    run.device = torch.device("meta")  # stands for a GPU: anything but a CPU
    monkeypatch.setattr(module, "free_memory", lambda device: 2**40)
    monkeypatch.setattr(run, "_whole", out_of_memory)
    monkeypatch.setattr(run, "_bands", out_of_memory)
    found = run(low)
    torch.testing.assert_close(found[0], expected[0], atol=1e-3, rtol=0)
    assert said[-1].endswith("going on on the CPU") and len(said) == 3
    copied = run.on_cpu
    assert not {id(p) for p in copied.enhancer.parameters()} & {id(p) for p in enhancer.parameters()}
    run(low)
    assert run.on_cpu is copied  # once for all images


def test_a_image_that_fits_nowhere(enhancer, low, said, monkeypatch):
    monkeypatch.setattr(enhancer, "forward", out_of_memory)
    monkeypatch.setattr(module, "enhance_in_bands", out_of_memory)
    with pytest.raises(WorkError, match="46x37: not enough memory for this image in bands"):
        Inference(enhancer, say=said.append)(low)
    with pytest.raises(WorkError, match="46x37: not enough memory for this image as a whole"):
        Inference(enhancer, tile="off", say=said.append)(low)


def test_other_errors_are_not_swallowed(enhancer, low, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("something else")

    monkeypatch.setattr(enhancer, "forward", broken)
    with pytest.raises(RuntimeError, match="something else"):
        Inference(enhancer)(low)


def test_free_memory_is_plausible():
    assert 2**20 < free_memory(torch.device("cpu")) < 2**50


def test_a_container_has_less(tmp_path):
    from util.memory import _left_in_control_group

    assert _left_in_control_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("400\n")
    assert _left_in_control_group(tmp_path) == 600
    (tmp_path / "memory.max").write_text("max\n")
    assert _left_in_control_group(tmp_path) is None
