"""The comparison with other methods: figures of a folder of results, in each way that papers measure."""

import json

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from benchmarks import peers
from util.errors import WorkError


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("ours", "high"):
        (tmp_path / name).mkdir()
    for name in ("1", "2"):
        high = rng.integers(40, 200, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(high).save(tmp_path / "high" / f"{name}.png")
        Image.fromarray((high * 0.5 + rng.integers(0, 9, high.shape)).astype(np.uint8)).save(
            tmp_path / "ours" / f"{name}.png"
        )
    return tmp_path


def test_both_windows_with_and_without_the_references_brightness(folders, monkeypatch, capsys):
    out = folders / "ours.json"
    monkeypatch.setattr("sys.argv", ["peers", str(folders / "ours"), str(folders / "high"), "--out", str(out)])
    assert peers.main() == 0
    report = json.loads(out.read_text())
    assert (report["method"], list(report["means"]), list(report["images"])) == (
        "ours",
        list(peers.COLUMNS),
        ["1", "2"],
    )
    ours, high = (np.asarray(Image.open(folders / name / "1.png")) for name in ("ours", "high"))
    seven = structural_similarity(high, ours, channel_axis=2, data_range=255, win_size=7)
    assert report["images"]["1"]["ssim_7x7"] == pytest.approx(seven)
    assert report["images"]["1"]["ssim"] != pytest.approx(seven, abs=1e-4)
    means = report["means"]
    assert means["psnr_gt_mean"] > means["psnr"] + 5  # half the brightness is most of the error here
    assert means["ssim_7x7"] == pytest.approx(sum(values["ssim_7x7"] for values in report["images"].values()) / 2)
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith(f"| ours | {means['psnr']:.2f} dB | {means['ssim']:.3f} | {means['ssim_7x7']:.3f} |")


def test_a_result_of_another_size_is_told(folders, monkeypatch):
    Image.new("RGB", (16, 24)).save(folders / "ours" / "2.png")
    monkeypatch.setattr("sys.argv", ["peers", str(folders / "ours"), str(folders / "high")])
    with pytest.raises(WorkError, match=r"2\.png: 32x24, .*16x24"):
        peers.main()
