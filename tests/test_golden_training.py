"""Training steps against the released code's numbers."""

import pytest
import torch

from golden_weights import golden_arrays, golden_json, with_formula_weights
from models import create_model
from options.train_options import TrainOptions


def golden_model(*flags):
    """The released recipe without pools, on formula weights and the golden pair of pictures."""
    command = "--dataroot . --name golden --gpu_ids -1 --pool_size 0 --recipe released --edge_projection fixed"
    opt = TrainOptions().parse([*command.split(), *flags])
    model = create_model(opt)
    for name, network in model.networks().items():
        with_formula_weights(network, name)
    return model


def test_losses_of_the_first_step():
    golden = golden_arrays("nerco/train_pool0_scale5.npz")
    expected = golden_json("nerco/train_pool0_scale5.json")["steps"][0]["losses"]
    model = golden_model()
    model.set_input({"A": golden["real_A"], "B": golden["real_B"], "A_paths": ["a"], "B_paths": ["b"]})
    model.optimize_parameters()
    losses = model.get_current_losses()
    assert list(losses) == [name for name in expected if not name.endswith("CLIP")]
    for name, value in losses.items():
        assert value == pytest.approx(expected[name], rel=1e-4), name
    torch.testing.assert_close(model.fake_B.detach(), golden["fake_B_1"], atol=1e-4, rtol=0)
    torch.testing.assert_close(model.fake_A.detach(), golden["fake_A_1"], atol=1e-4, rtol=0)
