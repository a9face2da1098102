"""The record of a training run: loss_log.txt for people, losses.jsonl for programs."""

import json
from pathlib import Path

from util.files import write_text


class LossLog:
    """Appends losses to both files of a run's folder.

    Args:
        folder: the run's folder, which exists.
        resume_at: number of images after which a resumed run goes on: later lines, which an interrupted run
            wrote after its last save, are dropped. None starts both files anew.
    """

    def __init__(self, folder, resume_at=None):
        self.text, self.lines = Path(folder) / "loss_log.txt", Path(folder) / "losses.jsonl"
        kept = [record for record in read_losses(folder) if resume_at is not None and record["pictures"] <= resume_at]
        write_records(self.lines, kept)
        write_text(self.text, "".join(_sentence(record) + "\n" for record in kept))

    def add(self, epoch, images, rate, losses):
        """Write one record and return its sentence.

        Args:
            epoch: 1, 2, ...
            images: how many the run has seen.
            rate: the learning rate in force.
            losses: {name: float}.
        """
        record = {"epoch": epoch, "pictures": images, "lr": rate, "losses": dict(losses)}
        append_record(self.lines, record)
        _append(self.text, _sentence(record))
        return _sentence(record)


def _sentence(record):
    losses = " ".join(f"{name}: {value:.4f}" for name, value in record["losses"].items())
    return f"(epoch: {record['epoch']}, pictures: {record['pictures']}, lr: {record['lr']:.3g}) {losses}"


def read_losses(folder):
    """The records of ``losses.jsonl`` in a run's folder, oldest first."""
    return read_records(Path(folder) / "losses.jsonl")


def write_records(path, records):
    """Write a file with one JSON object a line, in one step."""
    write_text(path, "".join(json.dumps(record) + "\n" for record in records))


def append_record(path, record):
    """Add a line to such a file."""
    _append(path, json.dumps(record))


def _append(path, line):
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read_records(path):
    """The records of a file with one JSON object a line, if it exists; an unfinished last line is left out."""
    records = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                break
    return records
