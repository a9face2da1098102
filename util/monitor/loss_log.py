"""The losses of a training run: loss_log.txt for people, losses.jsonl for programs."""

from pathlib import Path

from util.files import append_record, read_records, write_records, write_text


class LossLog:
    """Appends losses to both files of a run's folder.

    Args:
        folder: the run's folder, which exists.
        resume_at: see ``drop_later_records``.
    """

    def __init__(self, folder, resume_at=None):
        self.text, self.records = Path(folder) / "loss_log.txt", Path(folder) / "losses.jsonl"
        self.history = drop_later_records(self.records, resume_at)  # all records, those of earlier calls, too
        write_text(self.text, "".join(_line(record) for record in self.history))

    def add(self, epoch, images, rate, losses):
        """Write one record and return its line of the text.

        Args:
            epoch: 1, 2, ...
            images: how many the run has seen.
            rate: the learning rate in force.
            losses: {name: float}.
        """
        record = {"epoch": epoch, "pictures": images, "lr": rate, "losses": dict(losses)}
        self.history.append(record)
        append_record(self.records, record)
        with self.text.open("a", encoding="utf-8") as file:
            file.write(_line(record))
        return _line(record).rstrip()


def _line(record):
    losses = " ".join(f"{name}: {value:.4f}" for name, value in record["losses"].items())
    return f"(epoch: {record['epoch']}, pictures: {record['pictures']}, lr: {record['lr']:.3g}) {losses}\n"


def read_losses(folder):
    """The records of ``losses.jsonl`` in a run's folder, oldest first."""
    return read_records(Path(folder) / "losses.jsonl")


def drop_later_records(path, resume_at):
    """Drop what an interrupted run recorded after its last save, as it will be computed again; return the rest.

    Args:
        path: a file of JSON lines with the key "pictures", how many images the run had seen; made if missing.
        resume_at: number of images after which the run goes on; None for a new run, which keeps no record.
    """
    kept = [record for record in read_records(path) if resume_at is not None and record["pictures"] <= resume_at]
    write_records(path, kept)
    return kept
