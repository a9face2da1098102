"""Validation during training: it leaves the networks as it found them."""

from types import SimpleNamespace

import pytest
from torch import nn

from sample_images import photograph
from util.errors import WorkError
from util.monitor.validation import Validation


class StandIn(nn.Module):
    """An enhancer whose first norm is frozen, as with --freeze_norm_epoch; it remembers the modes it works in."""

    def __init__(self, error=None):
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm2d(3).eval(), nn.Dropout(), nn.BatchNorm2d(3))
        self.error, self.seen = error, []

    def modes(self):
        return {name: module.training for name, module in self.named_modules()}

    def enhance(self, image):
        self.seen += self.modes().values()
        if self.error:
            raise self.error
        return image


@pytest.fixture
def validation(tmp_path):
    (tmp_path / "low").mkdir()
    photograph((24, 20)).save(tmp_path / "low" / "a.png")
    return Validation(SimpleNamespace(val_dir=tmp_path / "low", val_ref=None), tmp_path)


def test_each_module_gets_its_own_mode_back(validation):
    enhancer = StandIn()
    before = enhancer.modes()
    assert list(before.values()) == [True, True, False, True, True]
    images, scores = validation.run(enhancer, 1, 5)
    assert list(images) == ["a"] and scores == {}
    assert enhancer.seen == [False] * 5
    assert enhancer.modes() == before


def test_also_where_enhancing_fails(validation):
    enhancer = StandIn(WorkError("out of memory"))
    before = enhancer.modes()
    with pytest.raises(WorkError):
        validation.run(enhancer, 1, 5)
    assert enhancer.seen == [False] * 5 and enhancer.modes() == before
