"""The device that is computed on."""

import subprocess
import sys

import pytest
import torch

from commands import ROOT
from util.device import device_name, select_device, widest
from util.errors import UsageError

COUNT = """
import torch
from util.device import select_device
select_device([])
torch.set_num_threads(2)
print(int((torch.full((2**22,), 1e-40) * 1.0).count_nonzero()))
"""


def test_tiny_numbers_are_flushed_by_every_thread():
    if not torch.set_flush_denormal(True):
        pytest.skip("this CPU cannot flush them")
    done = subprocess.run([sys.executable, "-c", COUNT], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "0\n", done.stderr


def test_without_a_gpu_the_cpu_is_taken(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert select_device([0]) == torch.device("cpu")
    assert capsys.readouterr().out == "no GPU found: computing on the CPU\n"
    assert select_device([]) == torch.device("cpu")
    assert capsys.readouterr().out == ""


def test_an_apple_gpu_is_taken_where_there_is_no_other(capsys, monkeypatch):
    with pytest.raises(UsageError, match=r"^--gpu_ids mps: this machine has no Apple GPU"):
        select_device(["mps"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    for gpu_ids in ([0], ["mps"]):
        device = select_device(gpu_ids)
        assert device == torch.device("mps") and device_name(device) == "Apple GPU" and widest(device) == torch.float32
    assert select_device([]) == torch.device("cpu")
    assert capsys.readouterr().out == ""
