"""The enhancer as a file for other programs: any size, the same values, nothing half-written."""

import importlib.util
import textwrap
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from data.transforms import pad_to_multiple
from models.enhancer import Enhancer
from models.inference import export
from models.inference.export import SUFFIXES, AnySize, export_enhancer
from models.networks import nrn
from models.networks.layers import init_weights
from sample_images import levels, photograph
from util.errors import WorkError

FULL = {"netG": "resnet_6blocks"}
BARE = {**FULL, "ablate": ("nrn", "mask")}
ENHANCERS = [
    FULL,
    {**FULL, "nrn_coords": "cancelled"},
    {**FULL, "norm": "batch", "dropout": True},
    {**BARE, "norm": "layer_instance"},
    {**BARE, "norm": "none"},
    {**BARE, "ablate": ("nrn",)},
    {**BARE, "ablate": ("mask",)},
    {**BARE, "netG": "unet_128"},
    {**BARE, "netG": "resnet_9blocks_keep"},
]


@pytest.fixture(params=SUFFIXES)
def kind(request):
    if request.param == "onnx":
        pytest.importorskip("onnx", reason="onnx is not installed")
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    return request.param


def small(**shape):
    """An untrained enhancer in evaluation mode, whose values neither vanish nor saturate without norms."""
    gain = 0.1 if shape.get("norm", "instance") == "instance" else 0.05
    return init_weights(Enhancer(16, **shape), gain=gain).eval()


def opened(path):
    """A function of a batch that runs a file."""
    if path.suffix == ".pt":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.jit.load(path)
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda low: torch.from_numpy(session.run(["enhanced"], {"low": low.numpy()})[0])


@pytest.mark.parametrize("shape", ENHANCERS, ids=str)
def test_any_size(tmp_path, kind, shape):
    enhancer, path = small(**shape), tmp_path / f"enhancer{SUFFIXES[kind]}"
    line = export_enhancer(enhancer, kind, path)
    assert line.startswith(f"{path}: differs from PyTorch by at most ") and "gray levels, on " in line
    assert list(tmp_path.iterdir()) == [path]
    run = opened(path)
    with torch.no_grad():
        for size in ((1, 30, 13), (2, 16, 24), (1, 41, 3)):
            low = torch.rand(size[0], 3, *size[1:]) * 2 - 1
            expected = enhancer(low)
            assert expected.std() > 0.01
            torch.testing.assert_close(run(low), expected, atol=1e-3, rtol=0)
        for size in ((1, 1), (1, 5), (7, 2)):  # too small for values: norms magnify rounding
            assert run(torch.rand(3, 3, *size)).shape == (3, 3, *size)


@pytest.mark.parametrize("netG", ["resnet_6blocks", "unet_128"])
def test_padding(netG):
    network = AnySize(Enhancer(16, netG=netG, ablate=("nrn", "mask")))
    multiple, smallest = network.enhancer.multiple, network.enhancer.smallest
    for side in range(1, 2 * smallest + 2):
        row = torch.arange(float(side)).view(1, 1, 1, side)
        expected = pad_to_multiple(row, multiple, smallest)[0, 0, 0]
        assert torch.equal(network.places(side, row), expected.long())


def test_the_implicit_function_is_in_one_piece(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(nrn, "STRIP_VALUES", 1)  # a strip for each row, were there strips: 8 in the example
    export_enhancer(small(**BARE | {"ablate": ("mask",)}), kind, tmp_path / "enhancer")


def test_torchscript_is_tied_to_no_device(tmp_path):
    export_enhancer(small(**FULL), "torchscript", tmp_path / "enhancer.pt")
    graph = str(opened(tmp_path / "enhancer.pt").inlined_graph)
    assert "aten::cumsum" in graph and 'value="cpu"' not in graph


def test_the_enhancer_stays_as_it_is(tmp_path, kind):
    enhancer = small(**BARE, norm="batch", dropout=True).train()
    before = {key: value.clone() for key, value in enhancer.state_dict().items()}
    export_enhancer(enhancer, kind, tmp_path / "enhancer")
    assert all(module.training for module in enhancer.modules())
    assert all(parameter.requires_grad for parameter in enhancer.parameters())
    assert all(torch.equal(value, before[key]) for key, value in enhancer.state_dict().items())


def test_no_warnings(tmp_path, kind, recwarn):
    warnings.simplefilter("always")
    export_enhancer(small(**FULL), kind, tmp_path / "enhancer")
    assert [str(warning.message) for warning in recwarn] == []


right_places, right_forward = AnySize.places, AnySize.forward


def without_reflection(self, side, like):
    return nrn.indices(right_places(self, side, like).shape[0], like).long().clamp(max=side - 1)


def of_the_size_of_the_example(self, low):
    return right_forward(self, low)[..., :8, :8]


FAULTS = [
    ("places", without_reflection, "the exported network differs from PyTorch by at most"),
    ("forward", of_the_size_of_the_example, r"the exported network makes \(1, 3, 8, 8\) of \(1, 3, 37, 22\)"),
    ("forward", lambda self, low: low + torch.nan, "the exported network differs from PyTorch by at most nan"),
]


@pytest.mark.parametrize("method, fault, message", FAULTS, ids=["reflection", "size", "nan"])
def test_a_file_that_computes_something_else_is_refused(tmp_path, monkeypatch, method, fault, message):
    monkeypatch.setattr(AnySize, method, fault)
    path = tmp_path / "enhancer"
    path.write_text("old")
    with pytest.raises(WorkError, match=f"enhancer: not written: {message}"):
        export_enhancer(small(**BARE), "torchscript", path)
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "old"


def test_a_failing_exporter_is_named_in_one_line(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no such exporter\nand much more")

    monkeypatch.setattr(torch.jit, "trace", fail)
    with pytest.raises(WorkError, match=r"enhancer\.pt: not written: no such exporter$"):
        export_enhancer(small(**BARE), "torchscript", tmp_path / "enhancer.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(WorkError, match=r"enhancer\.pt: cannot write this file"):
        export_enhancer(small(**BARE), "torchscript", tmp_path / "missing" / "enhancer.pt")


def hide(monkeypatch, package):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))


def test_without_onnx(tmp_path, monkeypatch):
    hide(monkeypatch, "onnx")
    with pytest.raises(WorkError, match=r"^the package onnx is not installed; pip install -r requirements-export\.txt"):
        export_enhancer(small(**BARE), "onnx", tmp_path / "enhancer.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_onnxruntime(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_installed", lambda package: package == "onnx")
    monkeypatch.setattr(export, "_exported", lambda enhancer, kind: b"network")
    path = tmp_path / "enhancer.onnx"
    line = export_enhancer(small(**BARE), "onnx", path)
    assert line.startswith(f"{path}: not checked") and "pip install -r requirements-export.txt" in line
    assert path.read_bytes() == b"network"


def test_the_example_in_the_documentation(tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="onnx is not installed")
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    monkeypatch.chdir(tmp_path)
    enhancer, dark = small(**FULL), photograph((37, 22), brightness=0.3)
    dark.save("dark.png")
    export_enhancer(enhancer, "onnx", tmp_path / "enhancer.onnx")
    code = export.__doc__.split("::\n\n")[1].split("\n\n")[0].replace("dark.jpg", "dark.png")
    exec(textwrap.dedent(code), {"np": np, "onnxruntime": onnxruntime, "Image": Image})
    assert np.abs(levels(Image.open("bright.png")) - levels(enhancer.enhance(dark))).max() <= 1
