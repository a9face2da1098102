"""The enhancer here and in other engines, on one thread of the CPU: python -m benchmarks.engines [--name demo].

ONNX Runtime and OpenVINO (pip install onnx onnxruntime openvino; one that is missing is left out) run what
``test.py --export onnx`` writes. All take turns in one process. Counted are the processor's seconds, so that other
programs on the same core do not.
"""

import argparse
import os
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from time import process_time

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded

import numpy as np
import torch

from models.enhancer import Enhancer
from models.inference.export import export_enhancer
from models.inference.runner import Inference
from models.networks.layers import init_weights
from util.device import select_device
from util.errors import run_command
from util.precision import usable_amp


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description="Compare engines on a CPU.")
    parser.add_argument("--name", help="weights in saves/NAME (default: the whole method at ngf 64, untrained)")
    parser.add_argument("--size", type=int, nargs=2, default=(600, 400), metavar=("W", "H"), help="pixels")
    parser.add_argument("--rounds", type=int, default=5, help="calls of each engine that count, after a first one")
    given = parser.parse_args()
    device = select_device([])
    enhancer = Enhancer.from_checkpoint(Path("saves") / given.name, device=device) if given.name else _untrained()
    low = torch.rand(1, 3, given.size[1], given.size[0], generator=torch.Generator().manual_seed(0)) * 2 - 1

    with tempfile.TemporaryDirectory() as folder:
        print(export_enhancer(enhancer, "onnx", Path(folder) / "enhancer.onnx"))
        engines = engines_of(enhancer, f"{folder}/enhancer.onnx")
        expected = {name: run(low) for name, run in engines.items()}  # warms up, too
        seconds = {name: [] for name in engines}
        for _ in range(given.rounds):
            for name, run in engines.items():
                start = process_time()
                run(low)
                seconds[name].append(process_time() - start)

    size = "x".join(map(str, given.size))
    print(f"\n{given.name or 'ngf 64'}, {size}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}\n")
    print("| engine | seconds | difference, gray levels |\n|---|---|---|")
    for name, found in seconds.items():
        difference = np.abs(expected[name] - expected["this project"]).max() * 127.5
        print(f"| {name} | {statistics.median(found):.2f} | {difference:.3f} |")
    return 0


def _untrained():
    torch.manual_seed(0)
    return init_weights(Enhancer(64)).eval()


def engines_of(enhancer, file):
    """{name: function of a batch that returns an array, both (N, 3, H, W)}, for an enhancer and its ONNX file."""
    engines = {"this project": _here(enhancer)}
    half = usable_amp("bf16", torch.device("cpu")) == "bf16"
    if half:
        engines["this project, `--amp bf16`"] = _here(enhancer, amp="bf16")
    if find_spec("onnxruntime"):
        engines["ONNX Runtime"] = _onnxruntime(file)
    if find_spec("openvino"):
        engines["OpenVINO"] = _openvino(file, "f32")
        if half:
            engines["OpenVINO, bf16"] = _openvino(file, "bf16")
    return engines


def _here(enhancer, **switches):
    inference = Inference(enhancer, channels_last=True, **switches)
    return lambda low: inference(low)[0].numpy()


def _onnxruntime(file):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda low: session.run(None, {"low": low.numpy()})[0]


def _openvino(file, precision):
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    request = openvino.Core().compile_model(file, "CPU", settings).create_infer_request()
    return lambda low: request.infer({0: low.numpy()})[0].copy()


if __name__ == "__main__":
    sys.exit(run_command(main, verbose=False))
