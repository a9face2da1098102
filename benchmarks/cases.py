"""What is measured: one case is one task, one size, one way of computing it."""

import contextlib
import gc
import math
import resource
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import naive
from benchmarks.machine import product_rate, timed, used_precision
from benchmarks.whole import whole_rate
from models import create_model, nerco_model
from models.enhancer import Enhancer
from models.inference.runner import Inference
from models.kernels import winograd
from models.losses import gan
from models.networks.generators import build_generator
from models.networks.layers import init_weights
from options.train_options import TrainOptions
from util.seed import seed_everything

SIZES = {
    "training": ((128, 128), (256, 256), (512, 512)),
    "inference": ((600, 400), (1920, 1080)),
    "test.py": ((600, 400),),  # the whole command: reading, enhancing, measuring, writing
}
SWITCHES = {
    "inference": ("", "--amp bf16", "--amp fp16", "--tile 64", "--compile", "--amp bf16 --compile"),
    "training": ("", "--checkpoint_activations", "--amp bf16", "--amp fp16", "--compile"),
    "test.py": ("",),
}
NAIVE = "naive"  # in the place of switches
MOST_USED = ("", "--amp bf16")
BEST = "--amp bf16 --channels_last"
ON_A_GPU = {  # the most important ones first; on a CPU, images have their channels last in any case
    "training": (
        *("", BEST, f"{BEST} --cuda_graph", "--amp bf16", "--amp bf16 --cuda_graph", f"{BEST} --compile"),
        *("--channels_last", f"{BEST} --checkpoint_activations", "--checkpoint_activations"),
        *("--amp fp16 --channels_last", "--compile"),
    ),
    "inference": (
        *("", BEST, "--amp bf16", f"{BEST} --compile", "--channels_last", "--amp fp16 --channels_last", "--tile 64"),
        "--compile",
    ),
    "test.py": ("", BEST, f"{BEST} --batch_size 4"),
}
CALLS = {"cpu": 1, "cuda": 5}  # that are timed together


@dataclass(frozen=True)
class Case:
    """A task (a key of SIZES) at a width and height (pixels), and its switches or ``NAIVE``."""

    task: str
    width: int
    height: int
    switches: str


def cases(tasks, device, quick):
    """The cases of a run: on a CPU by task and size, naive ones first; on a GPU the most important ones first.

    ``quick``: the smallest size of each task, without compiling. On a CPU, which takes minutes for a call, the second
    size is measured with the switches MOST_USED alone, and there is no third.
    """
    on_gpu, ranked = device.type == "cuda", []
    for task in tasks:
        sizes = SIZES[task] if on_gpu else SIZES[task][:2]
        for number, (width, height) in enumerate(sizes[:1] if quick else sizes):
            chosen = ON_A_GPU[task] if on_gpu else SWITCHES[task] if number == 0 else MOST_USED
            if number == 0 and task != "test.py":
                chosen = (*chosen, NAIVE) if on_gpu else (NAIVE, *chosen)
            found = [Case(task, width, height, one) for one in chosen if not (quick and "--compile" in one)]
            ranked += enumerate(found)
    return [case for _, case in (sorted(ranked, key=lambda pair: pair[0]) if on_gpu else ranked)]


class Traffic(TorchDispatchMode):
    """Adds up the bytes that operations read and write; views move none."""

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            for value in (*args, *(result if isinstance(result, (tuple, list)) else [result])):
                for one in value if isinstance(value, (tuple, list)) else [value]:
                    if isinstance(one, torch.Tensor):
                        self.total += one.nbytes
        return result


def measure(case, device, ngf, batch, repeats, count=True):
    """Run one case in this process.

    Returns:
        {"seconds": of each call, "ceilings": the rate of matrix products around each, operations per second,
        "first": seconds of the first call (warm-up, compiling), "memory": peak, bytes, above the process with its
        networks, "needed": multiply-accumulates of direct convolutions, "done": those that are done, "bytes": read
        and written by the operations; the last three None where the networks are compiled, or without ``count``};
        of the whole test.py {"rate": images a second}.
    """
    if case.task == "test.py":
        return {"rate": whole_rate(case.switches, device, (case.width, case.height))}
    gc.collect()  # of a case before this one
    torch.compiler.reset()
    with torch.device(device):
        low, normal = torch.rand(2, batch, 3, case.height, case.width) * 2 - 1
    build = _inference if case.task == "inference" else _training
    work = build(case, device, ngf, low, normal)
    before = forget_peak(device)
    first = timed(work, device)
    precision = used_precision(device, case.switches)
    seconds, ceilings = [], []
    for _ in range(repeats):
        around = [product_rate(device, precision)]
        seconds.append(timed(work, device, CALLS[device.type]))
        around.append(product_rate(device, precision))
        ceilings.append(sum(around) / 2)
    memory = peak(device) - before  # of a later step, whose optimizers have their state already
    counted = {"needed": None, "done": None, "bytes": None}
    if count and not {"--compile", "--cuda_graph"} & {*case.switches.split()}:
        counted = _counted(work)
    return {"seconds": seconds, "ceilings": ceilings, "first": first, "memory": memory, **counted}


def _counted(work):
    with FlopCounterMode(display=False) as done, Traffic() as traffic:
        work()
    with mock.patch.object(winograd, "CHANNELS", math.inf), FlopCounterMode(display=False) as needed:
        work()
    return {
        "needed": needed.get_total_flops() // 2,
        "done": done.get_total_flops() // 2,
        "bytes": traffic.total,
    }


def forget_peak(device):
    """Let the peak of memory start at what is in use now; returns that, bytes."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with contextlib.suppress(OSError):  # Linux; elsewhere the peak so far remains
            Path("/proc/self/clear_refs").write_text("5")
    return peak(device)


def peak(device):
    """The peak of memory, bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except OSError:  # a child process begins with the peak of its parent here, which makes differences too small
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _inference(case, device, ngf, low, normal):
    torch.manual_seed(0)
    enhancer = init_weights(Enhancer(ngf, nrn_coords="cancelled")).eval().to(device)
    if case.switches == NAIVE:
        degrader = init_weights(build_generator("resnet_9blocks", 3, ngf=ngf)).eval().to(device)
        naive.slow_down(enhancer, degrader)
        return torch.inference_mode()(lambda: naive.enhance(enhancer, degrader, low))
    given = case.switches.split()
    inference = Inference(
        enhancer,
        amp=given[given.index("--amp") + 1] if "--amp" in given else "off",
        channels_last="--channels_last" in given or device.type == "cpu",  # as test.py does
        compile="--compile" in given,
        tile=int(given[given.index("--tile") + 1]) if "--tile" in given else "off",
    )
    return lambda: inference(low)


def _training(case, device, ngf, low, normal):
    side = ["--load_size", str(case.width), "--crop_size", str(case.width)]
    flags = [
        "--dataroot",
        ".",
        "--name",
        "benchmark",
        "--no_text",
        "--force_amp",
        "--ngf",
        str(ngf),
        "--ndf",
        str(ngf),
        *side,
    ]
    given = [] if case.switches == NAIVE else case.switches.split()
    opt = TrainOptions().parse([*flags, "--gpu_ids", "0" if device.type == "cuda" else "-1", *given])
    seed_everything(opt.seed)  # as train.py does: a GPU then looks for the fastest convolutions
    model = create_model(opt)
    if case.switches == NAIVE:
        naive.slow_down(model.netPre, model.netH, model.netG_A, model.netG_B)
        model.layout = torch.contiguous_format
        for module in (gan, nerco_model):
            module.batched = naive.one_call_at_a_time
    model.set_input({"A": low, "B": normal, "A_paths": ["a"], "B_paths": ["b"]})
    return model.optimize_parameters
