"""Validation during training: it leaves the networks as it found them."""

from types import SimpleNamespace

import pytest
from torch import nn

from sample_images import photograph
from util.errors import WorkError
from util.monitor.validation import MAX_IMAGES, Validation


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


def validation_of(folder, *names, val_ref=None):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        photograph((24, 20), brightness=0.2 if "low" in name else 1).save(folder / name)
    return Validation(SimpleNamespace(val_dir=folder, val_ref=val_ref), folder)


def test_equal_names_in_subfolders_are_all_shown(tmp_path):
    validation = validation_of(tmp_path, "cam1/1.png", "cam2/1.png", "cam2/night/1.jpg")
    assert list(validation.images) == ["cam1_1", "cam2_1", "cam2_night_1"] and validation.notices == []


def test_references_among_the_images(tmp_path):
    validation = validation_of(
        tmp_path, "low/low1.png", "low/sub/1.png", "high/normal1.png", "high/sub/1.png", val_ref=tmp_path / "high"
    )
    assert list(validation.images) == list(validation.references) == ["low1", "1"]
    assert validation.notices == [f"left out of {tmp_path}: the references, {tmp_path / 'high'}"]
    (tmp_path / "high" / "normal1.png").unlink()
    with pytest.raises(WorkError, match=r"low1\.png: no reference of this name"):
        validation_of(tmp_path, val_ref=tmp_path / "high")


def test_what_is_not_validated_is_told(tmp_path):
    names = [f"{number:02}.png" for number in range(MAX_IMAGES + 3)]
    (tmp_path / "x.xyz").touch()
    validation = validation_of(tmp_path, *names)
    assert list(validation.images) == [name[:2] for name in names[:MAX_IMAGES]]
    assert validation.notices == [
        f"left out of {tmp_path}: 1 .xyz",
        f"left out of {tmp_path}: 3 images after the first {MAX_IMAGES}",
    ]
