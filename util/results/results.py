"""What a run of test.py leaves behind: images, their figures and the page, written while others are computed."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image

from util.errors import WorkError
from util.files import append_record, make_folder, read_records, write_file, write_records
from util.image_io.finding import open_image
from util.image_io.tensors import stretch, to_8bit, to_image
from util.image_io.writing import save_image
from util.results.gallery import Entry, Gallery, levels_histogram
from util.results.tables import write_tables

PREVIEW_SIDE = 2048  # pixels; larger images are shown smaller on the page
SHOWN_BY_BROWSERS = ("png", "jpg", "webp")
WAITING_PIXELS = 16_000_000  # of enhanced images that wait to be written
STAGE_LABELS = {"pre_A": "pre_A: normalised", "mask": "mask"}


class Results:
    """results/NAME/test_EPOCH: images, metrics.csv, metrics.json and index.html.

    Args:
        opt: reads output_format, quality, strength, aspect_ratio, save_stages, skip_existing, num_threads.
        folder: where all of it goes; made if it is not there.
        images: the ``SingleDataset`` whose images are enhanced, in the order of the page.
        measurement: a ``Measurement``.

    ``seconds`` are those that each enhancement took, ``records`` is {name: record} of what is written. Each record is
    appended to records.jsonl, so that a run that was interrupted can go on without measuring again.
    """

    def __init__(self, opt, folder, images, measurement):
        self.opt, self.names, self.measurement = opt, images.names, measurement
        self.folder = make_folder(folder)
        self.images = make_folder(self.folder / "images")
        self.journal = self.folder / "records.jsonl"
        self.settings = [str(opt.reference), opt.gt_mean, list(measurement.metrics)]
        self.kept = {}
        if opt.skip_existing:
            self.kept = {record["name"]: record for record in read_records(self.journal)}
        write_records(self.journal, self.kept.values())
        self.pool = ThreadPoolExecutor(max(1, min(opt.num_threads, os.cpu_count() or 1)))
        self.waiting, self.records, self.seconds = deque(), {}, []

    def has(self, name):
        """Whether the image of this name need not be enhanced: its result is there and is to be kept."""
        files = (self._file(name, stage) for stage in ("real_A", "fake_B"))
        return self.opt.skip_existing and all(file.exists() for file in files)

    def keep(self, name, path):
        """Take over the result of an earlier run; what is not recorded of it is measured again."""
        record = self.kept.get(name)
        if record and record["settings"] == self.settings:
            self.records[name] = record
        else:
            self._submit(0, name, path, self._measure_again, name, path)

    def add(self, sample, stages, seconds):
        """Write and measure an enhanced image, in the background.

        Args:
            sample: what ``SingleDataset`` gave.
            stages: {"fake_B": (3, H, W), "pre_A": (3, H, W), "mask": (1, H, W)} in [-1, 1], on the CPU.
            seconds: what its enhancement took.
        """
        name = sample["name"]
        self.seconds.append(seconds)
        if not self.opt.save_stages:
            stages = {"fake_B": stages["fake_B"]}
        pixels = stages["fake_B"][0].numel()
        self._submit(pixels, name, sample["A_paths"][0], self._write, sample, stages, seconds)

    def fail(self, sample, error):
        """Note an image that could not be enhanced."""
        self._failed(sample["name"], sample["A_paths"][0], error)

    def finish(self, title, facts, width):
        """Wait for the images, then write the tables and the page.

        Args:
            title, facts: of the page; {label: text}.
            width: of a shown image, pixels.

        Returns:
            Two lists of lines: why images were not enhanced, and why some were not measured.
        """
        self._wait(0)
        records = [self.records[name] for name in self.names if name in self.records]
        write_tables(self.folder, self.measurement.metrics, [_public(record) for record in records])
        gallery = Gallery(self.folder / "index.html", title, facts, self.measurement.metrics, width)
        for record in records:
            if "error" in record:
                gallery.add_failure(record["name"], record["error"])
            else:
                gallery.add(self._entry(record))
        gallery.write(self.measurement.means(records))
        return [[record[key] for record in records if record.get(key)] for key in ("error", "problem")]

    def _submit(self, pixels, name, path, work, *arguments):
        """Do some work in the background, when not too much of it is waiting."""
        self._wait(WAITING_PIXELS - pixels)
        self.waiting.append((pixels, name, path, self.pool.submit(work, *arguments)))

    def _wait(self, pixels):
        """Take over what is done, until at most so many pixels wait; with 0, until all is done."""
        while self.waiting and (sum(one[0] for one in self.waiting) > pixels or pixels == 0):
            _, name, path, future = self.waiting.popleft()
            try:
                self.records[name] = record = future.result()
            except WorkError as error:
                self._failed(name, path, error)
                continue
            append_record(self.journal, record)

    def _failed(self, name, path, error):
        self.records[name] = {"name": name, "file": str(path), "error": str(error)}

    def _file(self, name, stage, extension=None):
        return self.images / f"{name}_{stage}.{extension or self.opt.output_format}"

    def _write(self, sample, stages, seconds):
        name, low = sample["name"], sample["A"][0]
        if self.opt.strength < 1:
            stages["fake_B"] = torch.lerp(low, stages["fake_B"], self.opt.strength)
        shown = {}
        for stage, values in {"real_A": low, **stages}.items():
            whole = stage in ("real_A", "fake_B")  # the others are for looking at
            save_image(
                self._file(name, stage),
                values,
                alpha=sample["alpha"] if whole else None,
                icc=sample["icc"] if whole else None,
                exif=sample["exif"] if whole else None,
                deep=sample["deep"] and whole,
                quality=self.opt.quality,
                aspect_ratio=self.opt.aspect_ratio,
            )
            if whole:
                shown[stage] = stretch(to_image(values, sample["alpha"]), self.opt.aspect_ratio)
        return self._record(name, sample["A_paths"][0], seconds, shown["real_A"], shown["fake_B"])

    def _measure_again(self, name, path):
        before, after = (to_8bit(open_image(self._file(name, stage))) for stage in ("real_A", "fake_B"))
        return self._record(name, path, None, before, after)

    def _record(self, name, path, seconds, before, after):
        values, problem = self.measurement.measure(Path(path), before, after)
        for stage, image in (("real_A", before), ("fake_B", after)):
            self._preview(name, stage, image)
        return {
            "name": name,
            "file": str(path),
            "width": after.width,
            "height": after.height,
            "seconds": seconds,
            "metrics": values,
            "problem": problem,
            "settings": self.settings,
            "histograms": [levels_histogram(before), levels_histogram(after)],
        }

    def _preview(self, name, stage, image):
        """Write an image for the page where the result itself is too large or not for browsers."""
        path = self._file(name, f"{stage}_preview", "webp")
        if self.opt.output_format in SHOWN_BY_BROWSERS and max(image.size) <= PREVIEW_SIDE:
            path.unlink(missing_ok=True)
            return
        image = image.copy()
        image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
        write_file(path, lambda beside: image.save(beside, quality=90))

    def _entry(self, record):
        name = record["name"]
        files = {"input": Path(record["file"]), "result": self._file(name, "fake_B")}
        stages = {label: self._file(name, stage) for stage, label in STAGE_LABELS.items()}
        shown = [
            preview if (preview := self._file(name, f"{stage}_preview", "webp")).exists() else self._file(name, stage)
            for stage in ("real_A", "fake_B")
        ]
        return Entry(
            name,
            (record["width"], record["height"]),
            *shown,
            files,
            {label: file for label, file in stages.items() if file.exists()},
            record["metrics"],
            record["seconds"],
            record["histograms"],
            record["problem"],
        )


def _public(record):
    """A record without what is for the page and for going on alone."""
    return {key: value for key, value in record.items() if key not in ("settings", "histograms")}
