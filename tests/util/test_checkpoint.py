"""Weights and options on disk: what is accepted, and what is refused."""

import os
import pickle
from argparse import Namespace

import pytest
import torch

from models.networks.generators import build_generator
from util.checkpoint import (
    advice_on_finite_weights,
    load_network,
    net_file,
    newest,
    read_options,
    read_state_dict,
    save_options,
    state_file,
)
from util.errors import WorkError
from util.tensor_files import NotFinite


@pytest.fixture
def network():
    return build_generator("resnet_6blocks", 3, ngf=16)


def saved(folder, state):
    torch.save(state, folder / net_file("latest", "G_A"))
    return read_state_dict(folder, "latest", "G_A")


def test_a_module_prefix_is_accepted(tmp_path, network):
    state = saved(tmp_path, {f"module.{key}": value for key, value in network.state_dict().items()})
    other = build_generator("resnet_6blocks", 3, ngf=16)
    load_network(other, state, "file")
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), network.parameters(), strict=True))


def test_old_instance_norm_statistics_are_left_out(network):
    state = dict(network.state_dict())
    for key, value in (("running_mean", torch.zeros(16)), ("num_batches_tracked", torch.tensor(7))):
        state[f"model.2.{key}"] = value
    load_network(network, state, "file")
    state["model.3.running_mean"] = torch.zeros(16)  # there is a ReLU
    with pytest.raises(WorkError, match=r"model\.3\.running_mean \(16,\) is not of this network"):
        load_network(network, state, "file")


def test_differences_are_listed(network):
    state = dict(network.state_dict())
    del state["model.1.bias"]
    state["model.4.weight"] = torch.zeros(1, 2)
    state["extra"] = torch.zeros(3)
    before = [p.clone() for p in network.parameters()]
    with pytest.raises(WorkError) as caught:
        load_network(network, state, "some/file.pth")
    text = str(caught.value)
    assert text.startswith("some/file.pth: does not fit") and "\n" not in text
    assert "model.1.bias is missing" in text
    assert "extra (3,) is not of this network" in text
    assert "model.4.weight is (1, 2), not (32, 16, 3, 3)" in text
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True))


class Payload:
    def __reduce__(self):
        return os.mkdir, ("harmed",)


@pytest.mark.parametrize("content", ["text", "empty", "truncated", "list", "numbers", "code"])
def test_foreign_files_are_one_line(tmp_path, network, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / net_file("latest", "G_A")
    if content == "text":
        path.write_text("weights")
    elif content == "empty":
        path.touch()
    elif content == "truncated":
        torch.save(network.state_dict(), path)
        path.write_bytes(path.read_bytes()[:5000])
    elif content == "code":
        path.write_bytes(pickle.dumps({"a": Payload()}))
    else:
        torch.save([1, 2] if content == "list" else {"epoch": 3}, path)
    with pytest.raises(WorkError, match=r"latest_net_G_A\.pth: ") as caught:
        read_state_dict(tmp_path, "latest", "G_A")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harmed").exists()


def test_a_missing_epoch_names_those_that_are_there(tmp_path, network):
    saved(tmp_path, network.state_dict())
    with pytest.raises(WorkError, match="--epoch can be latest"):
        read_state_dict(tmp_path, "7", "G_A")
    with pytest.raises(WorkError, match=r"for enhancing alone, .*; to train from it: --init_from"):
        read_state_dict(tmp_path, "latest", "G_B")
    with pytest.raises(WorkError, match=r"nothing was averaged .*: leave out --ema"):
        read_state_dict(tmp_path, "latest", "G_A_ema")
    with pytest.raises(WorkError, match="no folder"):
        read_state_dict(tmp_path / "typo", "latest", "G_A")


def test_damaged_options_are_one_line(tmp_path):
    assert read_options(tmp_path) is None
    (tmp_path / "train_opt.json").write_text('{"ngf": 16')
    with pytest.raises(WorkError, match=r"train_opt\.json: cannot be read"):
        read_options(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(tmp_path, network, value):
    state = dict(network.state_dict())
    for tag in ("5", "10", "15"):
        torch.save(state, tmp_path / net_file(tag, "G_A"))
    os.utime(tmp_path / net_file("5", "G_A"), (1, 1))
    state["model.1.bias"] = torch.full((16,), value)
    for tag in ("15", "latest"):
        torch.save(state, tmp_path / net_file(tag, "G_A"))
    with pytest.raises(NotFinite, match=r"^file: model\.1\.bias holds values that are not finite"):
        load_network(network, read_state_dict(tmp_path, "latest", "G_A"), "file")
    assert all(p.isfinite().all() for p in network.parameters())
    assert advice_on_finite_weights(tmp_path).endswith("--epoch 10")
    for tag in ("5", "10"):
        (tmp_path / net_file(tag, "G_A")).unlink()
    assert "none of the numbered weights" in advice_on_finite_weights(tmp_path)


def test_numbers_of_another_kind_do_not_fit(network):
    state = {**network.state_dict(), "model.1.bias": torch.zeros(16, dtype=torch.int8)}
    with pytest.raises(WorkError, match=r"model\.1\.bias is torch\.int8, not torch\.float32"):
        load_network(network, state, "file")


def test_where_a_run_goes_on_without_latest_weights(tmp_path):
    assert newest(tmp_path) == "latest"
    for age, tag in enumerate(("best", "iter_20", "5", "10")):
        path = tmp_path / net_file(tag, "G_A")
        path.touch()
        os.utime(path, (100 - age, 100 - age))
        assert newest(tmp_path) == "best"  # written last, and none has a train state
    (tmp_path / state_file("5")).touch()
    (tmp_path / state_file("10")).touch()
    assert newest(tmp_path) == "5"
    (tmp_path / ".ready-latest").mkdir()
    (tmp_path / ".ready-latest" / net_file("latest", "G_A")).touch()
    assert newest(tmp_path) == "latest"


@pytest.mark.parametrize(
    "content, pattern", [("[" * 10**5, "cannot be read"), (b"\xff\xfe", "it is no text"), ("3", "must hold an object")]
)
def test_odd_options_are_one_line(tmp_path, content, pattern):
    (tmp_path / "train_opt.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(WorkError, match=rf"train_opt\.json: .*{pattern}") as caught:
        read_options(tmp_path)
    assert "\n" not in str(caught.value)


def test_options_that_are_no_file(tmp_path):
    os.mkfifo(tmp_path / "train_opt.json")
    with pytest.raises(WorkError, match=r"train_opt\.json: is not a file"):
        read_options(tmp_path)


def test_names_that_are_not_utf8_are_stored(tmp_path):
    save_options(tmp_path, Namespace(dataroot="d\udcff", given={}))
    assert read_options(tmp_path) == {"dataroot": "d\udcff"}
    assert "dataroot = d\\udcff" in (tmp_path / "train_opt.txt").read_text()
