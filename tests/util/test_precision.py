"""--amp on processors that have no arithmetic in 16 bits."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from commands import ROOT
from util import precision
from util.precision import usable_amp

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_a_cpu_that_would_imitate_it_computes_in_fp32(monkeypatch, capsys, amp):
    monkeypatch.setattr(precision, "_cpu_computes", lambda name: name != amp)
    assert usable_amp(amp, CPU) == "off"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"--amp {amp}: this processor has no {amp} arithmetic") and "--force_amp" in line
    others = {"off", "bf16", "fp16"} - {amp}
    assert {usable_amp(other, CPU) for other in others} == others
    assert usable_amp(amp, CPU, force=True) == usable_amp(amp, GPU) == amp
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "onednn, avx512_bf16, amx, machine, usable",
    [
        (True, True, False, "x86_64", True),  # AMD from Zen 4
        (True, True, True, "AMD64", True),  # Intel from Sapphire Rapids
        (True, False, False, "x86_64", False),  # AVX-512 alone
        (False, False, False, "x86_64", False),  # AVX2 alone
        (True, False, False, "aarch64", True),
        (False, False, False, "arm64", False),
        (None, True, True, "arm64", False),  # built without oneDNN
    ],
)
def test_which_processors_compute_in_bf16(monkeypatch, onednn, avx512_bf16, amx, machine, usable):
    class Operators:
        if onednn is not None:
            _is_mkldnn_bf16_supported = staticmethod(lambda: onednn)

    monkeypatch.setattr(torch.ops, "mkldnn", Operators)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert (usable_amp("bf16", CPU) == "bf16") is usable


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="about x86")
@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_with_avx2_alone(amp):
    code = f"import torch; from util.precision import usable_amp; print(usable_amp({amp!r}, torch.device('cpu')))"
    env = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "off"


@pytest.mark.parametrize("capability, name", [((7, 5), "fp32"), ((8, 0), "fp32 (convolutions in TF32)")])
def test_what_fp32_is_on_a_gpu(monkeypatch, capability, name):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision.precision_name("off", GPU) == name
    assert precision.precision_name("off", CPU) == "fp32" and precision.precision_name("bf16", GPU) == "bf16"
