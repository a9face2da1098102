"""On a GPU: every switch computes what the CPU computes, runs go on there and here, memory may run out."""

import contextlib
import os

import pytest
import torch
import torch.distributed as dist

from models import create_model
from models.enhancer import Enhancer
from models.inference.runner import Inference
from models.networks.layers import init_weights
from options.train_options import TrainOptions
from sample_images import images_batch as pair
from sample_images import photograph
from small_model import SMALL, small_model, step
from stub_clip import random_stub
from util import distributed
from util.checkpoint import save_options
from util.errors import WorkError
from util.image_io.tensors import to_tensor
from util.memory import memory_advice

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("full_precision")]

CPU, GPU = ("--gpu_ids", "-1"), ("--gpu_ids", "0")


@contextlib.contextmanager
def memory_limit(more):
    """Let this process have ``more`` bytes of the GPU than it holds now."""
    torch.cuda.empty_cache()
    limit = torch.cuda.memory_reserved() + more
    torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.get_device_properties(0).total_memory)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.fixture
def same_draws(monkeypatch):
    """What a GPU would draw by a generator of its own is drawn on the CPU."""
    rand, uniform = torch.rand, torch.Tensor.uniform_
    monkeypatch.setattr(torch, "rand", lambda *size, device=None, **kind: rand(*size, **kind).to(device))
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda x, *ends: x.copy_(uniform(torch.empty(x.shape), *ends)))


@pytest.fixture
def enhancer():
    return init_weights(Enhancer(16)).eval()


def enhanced(enhancer, low, **switches):
    return Inference(enhancer, **switches)(low)[0].cpu()


@pytest.mark.parametrize(
    ("switches", "levels"),
    [
        ({}, 0.05),
        ({"channels_last": True}, 0.05),
        ({"tile": 16}, 0.05),
        ({"amp": "bf16"}, 12),
        ({"amp": "fp16", "channels_last": True}, 4),
        ({"compile": True}, 0.05),
    ],
)
def test_every_switch_enhances_as_the_cpu_does(enhancer, switches, levels):
    low = to_tensor(photograph((70, 46), brightness=0.3))[None]
    expected = enhanced(enhancer, low)
    found = enhanced(enhancer.to("cuda"), low, **switches)
    assert (found - expected).abs().max() * 127.5 < levels


@pytest.mark.parametrize("norm", ["instance", "layer_instance", "batch"])
def test_16_bits_stay_16_bits(norm):
    # A layer that computes in single precision hands double the bytes on to all that follow.
    network, seen = Enhancer(16, norm=norm).eval().cuda(), set()
    for layer in network.generator.model[1:]:
        layer.register_forward_hook(lambda layer, inputs, output: seen.add(output.dtype))
    enhanced(network, pair(1)["A"], amp="bf16")
    assert seen == {torch.bfloat16}


@pytest.mark.parametrize(
    ("flags", "tolerance"),
    [
        ("", 1e-3),
        ("--channels_last", 1e-3),
        ("--checkpoint_activations", 1e-3),
        ("--amp bf16", 0.03),
        ("--amp fp16 --channels_last", 0.03),
        ("--amp bf16 --checkpoint_activations --channels_last --norm layer_instance", 0.03),
        ("--norm batch --batch_size 2", 1e-3),
        ("--recipe released --ema 0.9", 1e-3),
        ("--gan_mode wgangp --lambda_gp 10 --pool_size 0", 1e-2),
        ("--lambda_simulation 50", 1e-3),
        ("--lambda_simulation 50 --simulation_epochs 1 --amp bf16", 0.03),
        ("--ablate mask,nrn --lambda_simulation 50 --norm layer_instance", 1e-3),
        ("--compile --netG resnet_6blocks", 1e-3),
    ],
)
def test_every_switch_trains_as_the_cpu_does(tmp_path, same_draws, flags, tolerance):
    totals = []
    for place in (CPU, GPU):
        given = [flag for flag in flags.split() if place is GPU or flag != "--compile"]
        model = small_model(tmp_path, *given, *place)
        batches = [pair(seed, model.opt.batch_size) for seed in (1, 2)]
        totals.append(
            [step(model, {**batch, "sim_A": batch["B"] * 0.2 - 0.8, "lit_B": batch["B"]}) for batch in batches]
        )
        assert {p.device.type for network in model.networks().values() for p in network.parameters()} == {
            model.device.type
        }
    (first, second), (found, next_found) = totals
    assert found == pytest.approx(first, rel=tolerance)
    assert next_found == pytest.approx(second, rel=10 * tolerance)  # after a step whose signs hang on the last digits


def test_the_text_term_on_a_gpu(tmp_path):
    totals = []
    for place in (CPU, GPU):
        opt = TrainOptions().parse(
            [*SMALL.replace("--no_text", "").split(), *place, "--checkpoints_dir", str(tmp_path)]
        )
        torch.manual_seed(0)
        totals.append(step(create_model(opt, clip_model=random_stub()), pair(1)))
    assert totals[1] == pytest.approx(totals[0], rel=1e-3)


def test_a_step_waits_for_nothing(tmp_path):
    model = small_model(tmp_path, "--lambda_simulation", "50", *GPU)
    batch = {**pair(1), "sim_A": pair(2)["A"], "lit_B": pair(2)["B"]}
    for _ in range(2):  # buffers are made, optimizers have their state
        model.set_input(batch)
        model.optimize_parameters()
    model.set_input(batch)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        model.optimize_parameters()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_run_saved_on_a_gpu_goes_on_there_and_on_a_cpu(tmp_path):
    first = small_model(tmp_path, "--pool_size", "2", "--dropout", "--ema", "0.9", *GPU)
    first.setup(first.opt)
    for seed in range(3):
        step(first, pair(seed))
    first.folder.mkdir(parents=True)
    save_options(first.folder, first.opt)
    progress = {"epoch": 1, "seen": 3, "pictures": 3}
    first.save("latest", progress)
    expected = step(first, pair(9))
    for place, tolerance in ((GPU, 1e-3), (CPU, 0.1)):  # dropout draws other numbers on a CPU
        torch.manual_seed(99)
        second = small_model(tmp_path, "--continue_train", *place)
        assert second.setup(second.opt) == progress
        assert step(second, pair(9)) == pytest.approx(expected, rel=tolerance)
        moments = second.optimizer_G.state_dict()["state"][0]
        assert moments["step"].item() == 4 and moments["exp_avg"].device.type == second.device.type


def test_saved_states_hold_nothing_of_a_gpu(tmp_path):
    model = small_model(tmp_path, "--pool_size", "2", *GPU)
    step(model, pair(1))
    kept = [image for pool in model.pools.values() for image in pool.state_dict()["images"]]
    assert kept and {image.device.type for image in kept} == {"cpu"}


@pytest.mark.parametrize(
    ("megabytes", "line"),
    [(64, "700x460: out of memory as a whole; going on in bands of rows"), (0, "going on on the CPU")],
)
def test_an_image_too_large_for_the_gpu(enhancer, megabytes, line):
    low = to_tensor(photograph((700, 460), brightness=0.3))[None]
    expected, said = enhanced(enhancer, low), []
    enhancer.cuda()
    with memory_limit(megabytes * 2**20):
        found = Inference(enhancer, say=said.append)(low)[0].cpu()
    assert line in said[0 if megabytes else -1]
    assert (found - expected).abs().max() * 127.5 < 0.05
    assert next(enhancer.parameters()).is_cuda


def test_training_that_does_not_fit_is_one_line(tmp_path):
    model = small_model(tmp_path, "--crop_size", "256", *GPU)
    with memory_limit(32 * 2**20), pytest.raises(WorkError, match="out of memory: try less"), memory_advice("try less"):
        step(model, pair(1, side=256))


def test_networks_that_do_not_fit_are_one_line(tmp_path):
    with memory_limit(0), pytest.raises(WorkError, match="out of memory: try less"), memory_advice("try less"):
        small_model(tmp_path, *GPU)


def test_one_process_over_nccl(monkeypatch, port):
    place = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for name, value in place.items():
        monkeypatch.setitem(os.environ, name, str(value))
    monkeypatch.setattr(distributed, "launched", lambda: True)
    layer = torch.nn.Linear(3, 2).cuda()
    layer(torch.ones(1, 3, device="cuda")).sum().backward()
    with distributed.processes(TrainOptions().parse([*SMALL.split(), *GPU])):
        assert dist.get_backend() == "nccl"
        monkeypatch.setattr(distributed, "world_size", lambda: 2)  # with one, nothing would be sent
        distributed.average_gradients(torch.optim.Adam(layer.parameters()))
        distributed.wait_for_all()
        assert distributed.anyone(True) and distributed.mean(3.0) == 1.5
    torch.testing.assert_close(layer.weight.grad, torch.full((2, 3), 0.5, device="cuda"))
