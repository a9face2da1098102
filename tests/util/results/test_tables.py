"""metrics.csv and metrics.json, read back."""

import csv
import json
import math

import pytest

from util.metrics.scores import Metric
from util.results.tables import write_tables

METRICS = {
    "psnr": Metric("PSNR", "dB", True, 2),
    "ssim": Metric("SSIM", "", True, 3),
    "loe": Metric("LOE", "", False, 1),
}


def record(name, seconds=0.5, problem=None, **values):
    return {
        "name": name,
        "file": f"low/{name}.png",
        "width": 6,
        "height": 4,
        "seconds": seconds,
        "metrics": values,
        "problem": problem,
    }


RECORDS = [
    record('=SUM(A1), "ä"', psnr=20.5, loe=3.0),
    record("two\nlines", None, "no reference", loe=0.125),
    record("carriage\rreturn", loe=0.5),
    {"name": "bad", "file": "low/bad.png", "error": "cannot be read"},
]


def test_the_tables_read_back(tmp_path):
    write_tables(tmp_path, METRICS, RECORDS)
    with (tmp_path / "metrics.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["name", "file", "width", "height", "seconds", "psnr", "ssim", "loe"],
            ['=SUM(A1), "ä"', 'low/=SUM(A1), "ä".png', "6", "4", "0.5", "20.5", "", "3.0"],
            ["two\nlines", "low/two\nlines.png", "6", "4", "", "", "", "0.125"],
            ["carriage\rreturn", "low/carriage\rreturn.png", "6", "4", "0.5", "", "", "0.5"],
            ["mean", "", "", "", "", "20.5", "", "1.2083333333333333"],
        ]
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")) == {
        "metrics": {
            "psnr": {"label": "PSNR", "unit": "dB", "higher_is_better": True},
            "ssim": {"label": "SSIM", "unit": "", "higher_is_better": True},
            "loe": {"label": "LOE", "unit": "", "higher_is_better": False},
        },
        "pictures": RECORDS[:3],
        "mean": {"psnr": 20.5, "loe": pytest.approx(3.625 / 3)},
        "count": {"psnr": 1, "ssim": 0, "loe": 3},
        "failed": RECORDS[3:],
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == ["metrics.csv", "metrics.json"]


def test_infinity_is_a_word_in_both_tables(tmp_path):
    write_tables(tmp_path, METRICS, [record("a", psnr=math.inf)])
    read = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert (read["pictures"][0]["metrics"], read["mean"]) == ({"psnr": "inf"}, {"psnr": "inf"})
    assert (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()[1:] == [
        "a,low/a.png,6,4,0.5,inf,,",
        "mean,,,,,inf,,",
    ]


def test_a_name_that_is_not_utf_8_is_written(tmp_path):
    write_tables(tmp_path, METRICS, [record("a\udcff")])
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["pictures"][0]["name"] == "a\udcff"
    assert (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()[1].startswith("a\\udcff,")


def test_no_images_make_a_table(tmp_path):
    write_tables(tmp_path, {}, [])
    assert (tmp_path / "metrics.csv").read_text() == "name,file,width,height,seconds\nmean,,,,\n"
    assert json.loads((tmp_path / "metrics.json").read_text())["mean"] == {}
