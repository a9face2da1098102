"""The figures of a run of test.py as files: metrics.csv and metrics.json."""

import csv
import io
import json
import math
from pathlib import Path

from util.files import write_text
from util.metrics.scores import means

_COLUMNS = ("name", "file", "width", "height", "seconds")


def write_tables(folder, metrics, records):
    """Write metrics.csv and metrics.json, each in one step.

    The CSV file has a row for each enhanced image and at last one named "mean"; a cell is empty where there is no
    value. The JSON file has "metrics", "pictures", "mean", "count" (images that a mean is over) and "failed";
    infinity, which JSON lacks, is the string "inf".

    Args:
        folder: where the files go; it exists.
        metrics: {key: ``Metric``}, in the order of the columns.
        records: for an enhanced image {"name", "file", "width", "height", "seconds": float or None,
            "metrics": {key: float}, "problem": str or None}, for another {"name", "file", "error"}.

    Raises:
        WorkError: a file could not be written.
    """
    folder = Path(folder)
    write_text(folder / "metrics.csv", _writable(_csv(metrics, records)))
    write_text(folder / "metrics.json", _writable(_json(metrics, records)))


def _csv(metrics, records):
    enhanced = _enhanced(records)
    mean = means(metrics, [record["metrics"] for record in enhanced])
    rows = [[*_COLUMNS, *metrics]]
    rows += [[*(record[key] for key in _COLUMNS), *map(record["metrics"].get, metrics)] for record in enhanced]
    rows += [["mean", *[None] * (len(_COLUMNS) - 1), *map(mean.get, metrics)]]
    return "".join(map(_line, rows))


def _line(cells):
    """A line of CSV. The writer quotes a carriage return, too, only if lines end with one."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n") + "\n"


def _json(metrics, records):
    enhanced = _enhanced(records)
    measured = [record["metrics"] for record in enhanced]
    content = {
        "metrics": {
            key: {"label": metric.label, "unit": metric.unit, "higher_is_better": metric.higher_is_better}
            for key, metric in metrics.items()
        },
        "pictures": [{**record, "metrics": _finite(record["metrics"])} for record in enhanced],
        "mean": _finite(means(metrics, measured)),
        "count": {key: sum(key in values for values in measured) for key in metrics},
        "failed": [record for record in records if "error" in record],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _enhanced(records):
    return [record for record in records if "error" not in record]


def _finite(values):
    return {key: value if math.isfinite(value) else str(value) for key, value in values.items()}


def _writable(text):
    # Bytes of a file's name that are not UTF-8 become \udcXX, which a JSON string may hold as well.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
