"""Files of weights that come from anywhere: wrapped, odd, swelling, or no files at all."""

import os
import socket
import zipfile

import pytest
import torch

from util.errors import WorkError
from util.tensor_files import read_tensors, state_dict_in, write_tensors

WEIGHTS = {"a.weight": torch.ones(2), "b.bias": torch.zeros(3)}


def saved(tmp_path, content):
    torch.save(content, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def one_line(path, pattern):
    with pytest.raises(WorkError, match=pattern) as caught:
        state_dict_in(read_tensors(path), path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"params": {key: value + 1 for key, value in state.items()}, "params_ema": state},
        lambda state: {"model": {"state_dict": state}, "optimizer": {"lr": 0.1}},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {"state_dict": {f"_orig_mod.module.{key}": value for key, value in state.items()}},
    ],
)
def test_what_is_wrapped_around_weights_is_taken_off(tmp_path, wrap):
    path = saved(tmp_path, wrap(WEIGHTS))
    state = state_dict_in(read_tensors(path), path)
    assert list(state) == list(WEIGHTS) and all(torch.equal(state[key], WEIGHTS[key]) for key in state)


@pytest.mark.parametrize(
    "content, pattern",
    [
        ({"weights": WEIGHTS}, "'weights' is a dict of 'a.weight', 'b.bias', not a tensor; .* state_dict"),
        ({"epoch": 3}, "'epoch' is int, not a tensor"),
        ([1, 2], "does not hold a state dict, but list"),
        ({**WEIGHTS, 3: torch.ones(1)}, "its key 3 is not a name"),
        ({**WEIGHTS, (1, 2): torch.ones(1)}, r"its key \(1, 2\) is not a name"),
        ({"a\n" * 10**5: torch.eye(2).to_sparse()}, "is a sparse tensor"),
    ],
)
def test_the_key_in_the_way_is_named(tmp_path, content, pattern):
    one_line(saved(tmp_path, content), pattern)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "kind, make",
    [
        ("sparse", lambda: torch.eye(3).to_sparse()),
        ("sparse", lambda: torch.eye(3).to_sparse_csr()),
        ("quantised", lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)),
        ("meta", lambda: torch.ones(3, device="meta")),
        ("nested", lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])),
    ],
)
def test_special_tensors_are_refused_wherever_they_are(tmp_path, kind, make):
    one_line(saved(tmp_path, {**WEIGHTS, "c": make()}), f"c is a {kind} tensor")
    one_line(saved(tmp_path, {"state": [{"x": make()}]}), rf"state\[0\].x is a {kind} tensor")


def repacked(path, change=lambda name, data: data, **settings):
    """The archive that PyTorch wrote, packed again; ``change`` gives the new content of each entry."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", **settings) as archive:
        for name, data in entries.items():
            archive.writestr(name, change(name, data))
    return path


def test_what_unpacks_to_more_than_it_takes_is_refused_by_its_index(tmp_path, monkeypatch):
    path = saved(tmp_path, {"a": torch.zeros(10**7)})
    repacked(path, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**5
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("it was read"))
    one_line(path, "unpacks to more than it takes on the disk")


def test_an_array_that_no_tensor_needs_is_refused(tmp_path, monkeypatch):
    path = saved(tmp_path, {"a": torch.zeros(1)})
    zeros = b"\x80\x02c__builtin__\nbytearray\nJ\x00\x00\x00\x70\x85R."  # bytearray(1.9e9)
    repacked(path, lambda name, data: zeros if name.endswith("data.pkl") else data)
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("it was read"))
    one_line(path, "unpacks to more")


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket"])
def test_what_is_no_file_is_one_line_at_once(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)  # a socket's address is short
    path = tmp_path / "w.pth"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        socket.socket(socket.AF_UNIX).bind("w.pth")
    one_line(path, f"is not a file, but a .*{kind}")


def test_a_missing_file_is_for_the_caller_to_tell(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "none.pth")


def test_a_full_disk_says_so():
    with pytest.raises(OSError, match="No space left on device"):
        write_tensors(WEIGHTS, "/dev/full")
