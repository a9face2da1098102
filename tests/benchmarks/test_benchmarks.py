"""The benchmarks measure what they say: the naive variant computes the same, and the table adds up."""

import argparse
import subprocess
import sys
from time import perf_counter

import pytest
import torch

from benchmarks import gpu, naive, run
from benchmarks.cases import BEST, NAIVE, SIZES, Case, cases, measure
from benchmarks.loading import measure_loading
from benchmarks.machine import ceilings, product_rate
from benchmarks.run import table
from benchmarks.whole import whole_rate
from commands import ROOT
from models import nerco_model
from models.enhancer import Enhancer
from models.losses import gan
from models.networks.generators import build_generator
from models.networks.layers import init_weights
from models.networks.nrn import ImplicitFunction
from sample_images import enhancer_folder, photograph
from util.errors import WorkError

CPU = torch.device("cpu")


@pytest.mark.parametrize("coords", ["absolute", "cancelled"])
def test_the_naive_implicit_function_is_the_same_function(coords):
    lean = ImplicitFunction(16, coords)
    features = torch.randn(2, 16, 9, 12)
    torch.testing.assert_close(naive.NaiveImplicitFunction(lean)(features), lean(features), atol=1e-5, rtol=0)


def test_the_naive_way_gives_the_same_image():
    enhancer = init_weights(Enhancer(16), gain=0.1).eval()
    low = torch.rand(1, 3, 32, 40) * 2 - 1
    with torch.inference_mode():
        expected = enhancer(low)
        naive.slow_down(enhancer)
        found = naive.enhance(enhancer, build_generator("resnet_9blocks", 3, ngf=16), low)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_cases_are_measured_and_counted(monkeypatch):
    for module in (gan, nerco_model):  # the naive case replaces it for its process
        monkeypatch.setattr(module, "batched", module.batched)
    monkeypatch.setattr("benchmarks.cases.product_rate", lambda device, precision: product_rate(device, precision, 64))
    found = {}
    for switches in (NAIVE, "", "--amp bf16", "--tile 16"):
        found[switches] = measure(Case("inference", 48, 32, switches), CPU, ngf=16, batch=1, repeats=1)
        assert found[switches]["seconds"][0] > 0 and found[switches]["first"] > 0
        assert found[switches]["ceilings"][0] > 1e6
        assert found[switches]["needed"] == found[switches]["done"]  # such narrow networks convolve directly
    # The naive way does all the lean one does, four evaluations of the MLP instead of one, and a second loop.
    assert found[NAIVE]["done"] > 3 * found[""]["done"]
    assert found["--amp bf16"]["done"] == found[""]["done"] < found["--tile 16"]["done"]
    assert found[NAIVE]["bytes"] > found[""]["bytes"]
    lean, slow = (measure(Case("training", 32, 32, s), CPU, ngf=16, batch=1, repeats=1) for s in ("", NAIVE))
    assert slow["done"] > lean["done"]


def test_the_product_of_two_layers_is_counted_by_hand():
    # One residual block at 4 ngf = 64 channels on 8 x 8: two convolutions of 64 * 64 * 9 each.
    six, nine = (
        measure_macs(Enhancer(16, netG=f"resnet_{blocks}blocks").eval(), torch.zeros(1, 3, 32, 32)) for blocks in (6, 9)
    )
    assert nine - six == 3 * 2 * 64 * 64 * 9 * 8 * 8


def measure_macs(network, x):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(x)
    return counter.get_total_flops() // 2


PEAKS = """
import torch
from benchmarks.cases import forget_peak, peak
cpu = torch.device("cpu")
for _ in range(2):
    before = forget_peak(cpu)
    values = torch.ones(16 * 2**20)
    del values
    print(peak(cpu) - before)
"""


def test_peaks_of_memory_are_seen_and_forgotten():
    # A process of its own: this one may take memory again that other tests gave back, which makes no new peak.
    done = subprocess.run([sys.executable, "-c", PEAKS], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    peaks = [int(line) for line in done.stdout.split()]
    assert len(peaks) == 2 and all(60 * 2**20 < one < 100 * 2**20 for one in peaks)


def test_ceilings_are_rates():
    found = ceilings(CPU, repeats=1, sides=(64,), copied=2**20)
    assert set(found) == {"fp32", "bf16", "copy"} and all(rate > 1e6 for rate in found.values())


def test_the_table():
    best = {"fp32": 1e11, "bf16": 2e11, "copy": 1e10}
    row = {
        "task": "inference",
        "width": 600,
        "height": 400,
        "needed": 10**11,
        "done": 5 * 10**10,
        "bytes": 10**9,
        "memory": 2**30,
        "first": 3,
        "cost": 9.0,
    }
    compiled = {"needed": None, "done": None, "bytes": None}
    report = {
        "machine": {"machine": "M", "threads": 2, "torch": "2"},
        "ceilings": best,
        "ceilings_after": {**best, "fp32": 4e11},
        "ngf": 64,
        "batch": 1,
        "cases": [
            {**row, "switches": NAIVE, "seconds": 8.0, "share_of_one": 1e-12},
            {**row, "switches": "", "seconds": 2.0, "share_of_one": 2e-12},
            {**row, **compiled, "switches": "--amp bf16 --compile", "seconds": 1.0, "share_of_one": 5e-12},
            {"task": "inference", "width": 600, "height": 400, "switches": "--x", "failed": "no compiler"},
            {"task": "test.py", "width": 600, "height": 400, "switches": "--batch_size 4", "rate": 40.0},
        ],
        "left_out": [{"task": "training"}],
        "loading": {"plain": 10, "cached": 30},
    }
    lines = table(report).splitlines()
    assert "400 in fp32, 200 in bf16 GFLOP/s" in lines[0]
    assert lines[-9].endswith("| 100 | 50 | 1.0 | 2.000 s | 4.00 | 40% | 1.00 GiB | 3.0 s | 9 s |")
    assert lines[-8].endswith("| 100 |  |  | 1.000 s | 8.00 | 100% | 1.00 GiB | 3.0 s | 9 s |")
    assert "failed: no compiler" in lines[-7] and "30 from memory" in lines[-1]
    assert lines[-5].endswith("images a second by switches: 40.0 with --batch_size 4.")
    assert lines[-3].startswith("1 cases were left out")


def test_quick_cases_are_few():
    assert len(cases(["inference"], CPU, quick=True)) < len(cases(["inference"], CPU, quick=False))
    assert {(case.width, case.height) for case in cases(["training"], CPU, quick=False)} == {(128, 128), (256, 256)}


def test_a_gpu_begins_with_what_matters_most():
    found = cases(list(SIZES), torch.device("cuda"), quick=False)
    assert len(set(found)) == len(found)
    sizes = {(task, *size) for task, sizes in SIZES.items() for size in sizes}
    assert {(case.task, case.width, case.height) for case in found[:6]} == sizes
    assert {case.switches for case in found[:6]} == {""} and {case.switches for case in found[6:12]} == {BEST}
    assert found[-1].switches == NAIVE


def test_loading_is_measured(capsys):
    rates = measure_loading(size=(48, 32))
    assert rates["plain"] > 0 and rates["cached"] > 0


def test_the_whole_command_is_measured(capsys):
    assert whole_rate("--batch_size 2", CPU, (48, 32)) > 0
    assert capsys.readouterr().out.count("index.html") == 2
    with pytest.raises(WorkError, match="--epoch can be latest"):
        whole_rate("--epoch 7", CPU, (48, 32))


def test_differences_of_the_switches(tmp_path):
    enhancer_folder(tmp_path / "saves" / "small")
    (tmp_path / "low").mkdir()
    photograph((40, 30), brightness=0.3).save(tmp_path / "low" / "p.png")
    flags = ["--name", "small", "--dataroot", tmp_path / "low", "--checkpoints_dir", tmp_path / "saves"]
    command = [sys.executable, "-m", "benchmarks.differences", *map(str, flags), "--leave_out", "compile", "amp"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = {line.split("|")[1].strip(" `"): float(line.split("|")[3]) for line in done.stdout.splitlines()[4:]}
    assert set(rows) == {"--tile 64", "--tile 64, maps kept in 16 bits"}
    assert rows["--tile 64"] <= 1


def test_after_a_failure_a_new_process_goes_on():
    todo = [Case("inference", 32, 16, switches) for switches in ("", "--tile many", "--tile 8")]
    given = argparse.Namespace(device="cpu", ngf=16, batch=1, repeats=1)
    measured = dict(run._one_after_another(todo, given, perf_counter() + 300))
    assert list(measured) == todo
    figures = {"seconds", "ceilings", "first", "memory", "needed", "done", "bytes", "cost"}
    assert all(figures < set(measured[case]) for case in (todo[0], todo[2]))
    assert "'many'" in measured[todo[1]]["failed"]
    assert list(run._one_after_another(todo, given, perf_counter() - 1)) == []  # the time is up


def test_without_a_gpu_nothing_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["gpu"])
    assert gpu.main() == 2
    assert capsys.readouterr().err.startswith("no GPU found: ")


def test_cases_take_turns(monkeypatch):
    calls = []

    def measured(case, given, repeats, count):
        calls.append((case.switches, repeats, count))
        if case.switches == "--amp fp16":
            return {"failed": "no such kernels"}
        seconds = [float(len(calls))] * repeats
        return {"seconds": seconds, "ceilings": [10.0] * repeats, "first": 9.0, "memory": 100 * len(calls), "cost": 2.0}

    monkeypatch.setattr(run, "_in_a_process", measured)
    group = [Case("inference", 32, 16, switches) for switches in ("", "--amp fp16", "--compile")]
    (_, plain), (_, failed), (_, compiled) = run._in_turn(group, argparse.Namespace(repeats=3))
    assert calls == [
        ("", 1, True),
        ("--amp fp16", 1, True),
        ("--compile", 3, True),
        ("", 1, False),
        ("", 1, False),
    ]
    assert plain["seconds"] == 4 and plain["memory"] == 400 and plain["share_of_one"] == pytest.approx(1 / 40)
    assert plain["cost"] == 6
    assert failed == {"failed": "no such kernels"} and compiled["seconds"] == 3
