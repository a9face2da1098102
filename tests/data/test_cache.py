"""--cache: the same samples from memory, as far as it reaches."""

from pathlib import Path

import pytest
import torch

from data import cache as image_cache
from data.unaligned_dataset import UnalignedDataset
from options.train_options import TrainOptions
from sample_images import training_folder


def dataset(root, *flags):
    small = ["--load_size", "28", "--crop_size", "24", "--gpu_ids", "-1"]
    return UnalignedDataset(TrainOptions().parse(["--dataroot", str(root), "--name", "n", *small, *flags]))


@pytest.fixture
def root(tmp_path):
    return training_folder(tmp_path / "data", count=3)


@pytest.mark.parametrize("mode", ["resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none"])
def test_samples_do_not_change(root, mode):
    plain, cached = dataset(root, "--preprocess", mode), dataset(root, "--preprocess", mode, "--cache")
    for epoch in (1, 2):
        for index in range(3):
            one, other = plain[epoch, index], cached[epoch, index]
            assert torch.equal(one["A"], other["A"]) and torch.equal(one["B"], other["B"])


def test_nothing_is_decoded_again(root, monkeypatch, capsys):
    cached = dataset(root, "--cache")
    assert capsys.readouterr().out.startswith("6 of 6 images are kept in memory")
    monkeypatch.setattr(image_cache, "open_rgb", lambda path: pytest.fail(f"{path} was decoded again"))
    assert cached[1, 0]["A"].shape == (3, 24, 24)


def test_what_does_not_fit_is_decoded_when_needed(root, monkeypatch, capsys):
    monkeypatch.setattr(image_cache, "free_memory", lambda device: 2 * 4 * 3 * 28 * 28)  # half of it: four images
    cached = dataset(root, "--cache")
    assert "4 of 6 images are kept in memory, as many as fit" in capsys.readouterr().out
    assert all(cached[1, index]["B"].shape == (3, 24, 24) for index in range(3))


def test_an_unreadable_image_is_reported_when_it_is_asked_for(root, capsys):
    (root / "trainA" / "coffee1.png").write_text("not an image")
    cached = dataset(root, "--cache")
    assert "5 of 6" in capsys.readouterr().out
    assert [Path(path).name for path in cached[1, 1]["unreadable"]] == ["coffee1.png"]
