"""The figures of a run of test.py as files: metrics.csv and metrics.json."""

import csv
import io
import json
import math
from pathlib import Path

from util.files import write_text

_ABOUT = ("name", "file", "width", "height", "seconds")


def means(metrics, records):
    """The mean of each metric over the images that have it: {key: float}, without metrics that none has.

    Args:
        metrics: {key: ``Metric``}.
        records: see ``write_tables``.

    An infinite value (the PSNR of equal images) makes its mean infinite.
    """
    return {key: math.fsum(found) / len(found) for key, found in _values(metrics, records).items() if found}


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
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*_ABOUT, *metrics])
    for record in _enhanced(records):
        table.writerow([*(record[key] for key in _ABOUT), *(record["metrics"].get(key) for key in metrics)])
    mean = means(metrics, records)
    table.writerow(["mean", *[None] * (len(_ABOUT) - 1), *(mean.get(key) for key in metrics)])
    return text.getvalue()


def _json(metrics, records):
    about = {
        key: {"label": metric.label, "unit": metric.unit, "higher_is_better": metric.higher_is_better}
        for key, metric in metrics.items()
    }
    content = {
        "metrics": about,
        "pictures": [{**record, "metrics": _finite(record["metrics"])} for record in _enhanced(records)],
        "mean": _finite(means(metrics, records)),
        "count": {key: len(found) for key, found in _values(metrics, records).items()},
        "failed": [record for record in records if "error" in record],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _enhanced(records):
    return [record for record in records if "error" not in record]


def _values(metrics, records):
    measured = [record["metrics"] for record in _enhanced(records)]
    return {key: [values[key] for values in measured if key in values] for key in metrics}


def _finite(values):
    return {key: value if math.isfinite(value) else str(value) for key, value in values.items()}


def _writable(text):
    # Bytes of a file's name that are not UTF-8 become \udcXX, which a JSON string may hold as well.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
