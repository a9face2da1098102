"""Training steps against the released code's numbers, every loss, gradient and parameter norm."""

import math

import pytest
import torch

from golden_weights import golden_arrays, golden_json, scaled_normal, with_formula_weights
from models import create_model
from options.train_options import TrainOptions
from stub_clip import StubCLIP

SINGLE = 5e-3  # of gradients in single precision
# The channel attention sees the maximum of each channel. Its place, and with it the gradient, hangs on the last digits:
# off by 1.3 % with one thread of a Xeon, 0.3 % with two. In double precision it agrees to 1e-9 like all else.
CHANNEL_ATTENTION = 6
NETS = ("Pre", "H", "G_A", "G_B", "D_A", "D_B", "D_A_edge", "D_B_edge")


def golden_stub(dtype):
    """The stand-in for CLIP under which the golden numbers were computed."""
    return StubCLIP(
        *(scaled_normal(f"CLIP/{name}", (n, 32), 0.05).to(dtype) for name, n in (("W_img", 48), ("W_txt", 2)))
    )


def golden_model(dtype, device):
    """The released recipe without pools, on formula weights and the golden pair of images."""
    command = "--dataroot . --name golden --pool_size 0 --recipe released --edge_projection fixed --gpu_ids"
    opt = TrainOptions().parse([*command.split(), "-1" if device.type == "cpu" else "0"])
    model = create_model(opt, clip_model=golden_stub(dtype))
    for name, network in model.networks().items():
        with_formula_weights(network, name).to(dtype)
    golden = golden_arrays("nerco/train_pool0_scale5.npz")
    a, b = golden["real_A"].to(dtype), golden["real_B"].to(dtype)
    model.set_input({"A": a, "B": b, "A_paths": ["a"], "B_paths": ["b"]})
    return model


def check_losses(model, reported, expected, tolerance):
    losses = model.get_current_losses()
    assert list(losses) == list(expected["losses"])
    for name, value in losses.items():
        assert value == pytest.approx(expected["losses"][name], rel=tolerance), name
    assert reported.item() == pytest.approx(expected["returned_total"], rel=tolerance)


def norm_before_instance_norm(name, key):
    """Whether a bias does nothing, as an instance norm follows: the released code's gradient is rounding noise."""
    unnormed = ("mlp.", "output.", "model.26.")
    first_or_last = ("model.0.", "model.11.") if name.startswith("D") else ()
    return key.endswith(".bias") and not key.startswith(unnormed + first_or_last)


def check_gradients(network, name, expected, tolerance):
    for key, parameter in network.named_parameters():
        if not norm_before_instance_norm(name, key):
            found = parameter.grad.norm().item()
            loose = CHANNEL_ATTENTION if (name, tolerance) == ("H", SINGLE) and key.startswith(("fc", "conv_ca")) else 1
            expected_norm = expected["grad_l2_per_tensor"][key]
            assert found == pytest.approx(expected_norm, rel=loose * tolerance), (name, key)
    total = math.sqrt(sum(p.grad.square().sum().item() for p in network.parameters() if p.grad is not None))
    assert total == pytest.approx(expected["grad_l2"], rel=tolerance), name


def test_first_step_in_single_precision(device):
    golden = golden_arrays("nerco/train_pool0_scale5.npz")
    expected = golden_json("nerco/train_pool0_scale5.json")["steps"][0]
    model = golden_model(torch.float32, device)
    reported = model.optimize_parameters()
    # Biases that do nothing are not added: G_A is off by 1.3e-5. A GPU sums in another order.
    check_losses(model, reported, expected, 2e-5 if device.type == "cpu" else 1e-4)
    for name in NETS:
        check_gradients(model.networks()[name], name, expected["nets"][name], SINGLE)
    for name in ("fake_A", "fake_B"):
        torch.testing.assert_close(getattr(model, name).detach().cpu(), golden[f"{name}_1"], atol=1e-4, rtol=0)


def test_three_steps_in_double_precision(device):
    golden = golden_arrays("nerco/train_pool0_scale5_fp64.npz")
    model = golden_model(torch.float64, device)
    for number, expected in enumerate(golden_json("nerco/train_pool0_scale5_fp64.json")["steps"], start=1):
        reported = model.optimize_parameters()
        check_losses(model, reported, expected, 1e-9)
        for name in NETS:
            network = model.networks()[name]
            check_gradients(network, name, expected["nets"][name], 1e-9)
            norm = math.sqrt(sum(p.detach().square().sum().item() for p in network.parameters()))
            assert norm == pytest.approx(expected["nets"][name]["param_l2"], rel=1e-9), name
        for name in ("fake_A", "fake_B"):
            found = getattr(model, name).detach().cpu().float()
            torch.testing.assert_close(found, golden[f"{name}_{number}"], atol=1e-7, rtol=0)
