"""Weights and options on disk: what is accepted, and what is refused."""

import os
import pickle

import pytest
import torch

from models.networks.generators import build_generator
from util.checkpoint import load_network, net_file, read_options, read_state_dict
from util.errors import WorkError


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
    with pytest.raises(WorkError, match="none of this network: it is for enhancing alone"):
        read_state_dict(tmp_path, "latest", "G_B")
    with pytest.raises(WorkError, match="no folder"):
        read_state_dict(tmp_path / "typo", "latest", "G_A")


def test_damaged_options_are_one_line(tmp_path):
    assert read_options(tmp_path) is None
    (tmp_path / "train_opt.json").write_text('{"ngf": 16')
    with pytest.raises(WorkError, match=r"train_opt\.json: cannot be read"):
        read_options(tmp_path)
