"""The comparison of the method's parts: equal trainings, measured, and taken up where they stopped."""

import json
import shutil

import pytest

from benchmarks import reproduction
from sample_images import training_folder
from util.errors import WorkError

pytestmark = pytest.mark.commands

FLAGS = "--ngf 8 --ndf 8 --load_size 32 --crop_size 32 --num_threads 0 --gpu_ids -1 --no_text --ema 0.5"


def compare(data, out, monkeypatch, flags=FLAGS):
    pairs = [str(data / "testA"), str(data / "high")]
    command = ["--dataroot", str(data), "--pairs", *pairs, "--out", str(out), "--budget", "0.03", *flags.split()]
    monkeypatch.setattr("sys.argv", ["reproduction", *command])
    assert reproduction.main() == 0
    return json.loads((out / "results.json").read_text())


def test_variants_are_trained_once_and_measured(tmp_path, monkeypatch, capfd):
    kept = ("whole", "without text", "without mask")
    monkeypatch.setattr(reproduction, "VARIANTS", {name: reproduction.VARIANTS[name] for name in kept})
    data, out = training_folder(tmp_path / "data"), tmp_path / "out"
    shutil.copytree(data / "testA", data / "high")
    report = compare(data, out, monkeypatch)
    assert list(report["variants"]) == ["whole", "without mask"]  # --no_text: that of text is the same
    assert report["steps"] == report["epochs"] * report["images"] and report["images"] <= 3
    assert all({"psnr", "ssim", "psnr_gt_mean"} < set(found) for found in report["variants"].values())
    assert (out / "results.md").read_text().count("\n| ") == 3
    assert not list((out / "without_mask").glob("*_net_H.pth"))

    # What is missing is taken up; the rest is left alone.
    weights = out / "whole" / "latest_net_G_A.pth"
    before = weights.stat().st_mtime_ns
    del report["variants"]["without mask"]
    (out / "results.json").write_text(json.dumps(report))
    capfd.readouterr()
    assert list(compare(data, out, monkeypatch)["variants"]) == ["whole", "without mask"]
    assert weights.stat().st_mtime_ns == before
    assert "nothing left to do" in capfd.readouterr().out

    with pytest.raises(WorkError, match="other flags"):
        compare(data, out, monkeypatch, f"{FLAGS} --seed 2")


def test_every_part_and_filter_is_compared():
    found = reproduction.distinct(["--dataroot", "."])
    assert len(found) == 1 + 1 + 8 + 3 + 1  # the simulation is off, and the filter gradient, in the whole one already
    assert found["without mask"].ablate == ["mask"] and found["without text"].no_text
