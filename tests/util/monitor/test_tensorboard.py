"""TensorBoard's files, read as TensorBoard reads them."""

import sys
from types import SimpleNamespace

import pytest
import torch

from options.train_options import TrainOptions
from util.errors import UsageError
from util.monitor.visualizer import Visualizer

LOSSES = {"G_A": 1.0, "cycle_A": 2.0}


def options(**changed):
    values = {"no_html": True, "name": "run", "display_id": 0, "display_server": "", "display_port": 1}
    return SimpleNamespace(**{**values, "tensorboard": True, **changed})


def test_losses_and_images_are_written(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "saves"
    folder.mkdir()
    for resume_at, value in ((None, 1.0), (100, 3.0)):  # the second run goes on after 100 of 200 images
        shown = Visualizer(options(), folder, resume_at)
        shown.bar = SimpleNamespace(set_postfix=lambda losses: None)
        for images in (100, 200) if resume_at is None else (200,):
            shown.log_losses(1, images, 2e-4, {**LOSSES, "G_A": value})
            shown.show_live(images, {"real_A": torch.zeros(2, 3, 8, 12), "mask": torch.ones(2, 1, 8, 12)})
        shown.close()
    seen = EventAccumulator(str(folder / "tensorboard")).Reload()
    points = [(event.step, event.value) for event in seen.Scalars("generators/G_A")]
    assert points == [(100, 1.0), (200, 3.0)]
    assert set(seen.Tags()["scalars"]) == {"generators/G_A", "cycles and identity/cycle_A", "learning rate"}
    assert set(seen.Tags()["images"]) == {"real_A", "mask"}
    image = seen.Images("real_A")[-1]
    assert (image.step, image.width, image.height) == (200, 12, 8)


def test_without_the_flag_there_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = Visualizer(options(tensorboard=False), tmp_path)
    shown.close()
    assert shown.board is None and not (tmp_path / "tensorboard").exists()


def test_what_is_not_installed_is_said_at_once(monkeypatch):
    flags = ["--dataroot", "d", "--name", "n", "--tensorboard"]
    monkeypatch.setattr("options.train_options.find_spec", lambda name: None)
    with pytest.raises(
        UsageError, match=r"--tensorboard: it is not installed; pip install -r requirements-tensorboard\.txt"
    ):
        TrainOptions().parse(flags)
    monkeypatch.setattr("options.train_options.find_spec", lambda name: sys)
    assert TrainOptions().parse(flags).tensorboard
