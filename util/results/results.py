"""What a run of test.py leaves behind: images, their figures and the page, written while others are computed."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from util.errors import WorkError
from util.files import append_record, make_folder, read_records, write_records
from util.metrics.scores import means
from util.results.gallery import Gallery, levels_histogram
from util.results.image_files import ImageFiles
from util.results.tables import write_tables

WAITING_PIXELS = 16_000_000  # of enhanced images that wait to be written


class Results:
    """results/NAME/test_EPOCH: images, metrics.csv, metrics.json and index.html.

    Args:
        opt: reads skip_existing, save_stages, reference, gt_mean, num_threads, and what ``ImageFiles`` reads.
        folder: where all of it goes; made if it is not there.
        images: the ``SingleDataset`` whose images are enhanced, in the order of the page.
        measurement: a ``Measurement``.

    ``seconds`` are those that each enhancement took, ``records`` is {name: record}. Each record is also a line of
    records.jsonl, so that a run that was interrupted can go on without measuring again.
    """

    def __init__(self, opt, folder, images, measurement):
        self.opt, self.images, self.measurement = opt, images, measurement
        self.folder = make_folder(folder)
        self.files = ImageFiles(self.folder / "images", opt)
        self.journal = self.folder / "records.jsonl"
        self.settings = [str(opt.reference), opt.gt_mean, list(measurement.metrics)]
        self.earlier = {record["name"]: record for record in read_records(self.journal)} if opt.skip_existing else {}
        write_records(self.journal, self.earlier.values())
        self.pool = ThreadPoolExecutor(max(1, min(opt.num_threads, os.cpu_count() or 1)))
        self.waiting, self.records, self.seconds = deque(), {}, []

    def missing(self):
        """The indices of the images to enhance: with ``--skip_existing`` those whose results are not there.

        The others are taken over; what is not recorded of them is measured again.
        """
        missing = []
        for index, (name, path) in enumerate(zip(self.images.names, self.images.paths, strict=True)):
            if not (self.opt.skip_existing and self.files.complete(name)):
                missing.append(index)
                continue
            record = self.earlier.get(name)
            if record and record["settings"] == self.settings:
                self.records[name] = record
            else:
                sample = {"name": name, "A_paths": [str(path)]}
                self._submit(sample, 0, None, partial(self.files.read, name))
        return missing

    def add(self, sample, stages, seconds):
        """Write and measure an enhanced image, in the background.

        Args:
            sample: what ``SingleDataset`` gave.
            stages: {"fake_B": (3, H, W), "pre_A": (3, H, W), "mask": (1, H, W)} as the networks gave them, on the
                CPU.
            seconds: what its enhancement took.
        """
        self.seconds.append(seconds)
        if not self.opt.save_stages:
            stages = {"fake_B": stages["fake_B"]}
        pixels = stages["fake_B"][0].numel()
        self._submit(sample, pixels, seconds, partial(self.files.write, sample, stages))

    def fail(self, sample, error):
        """Note an image that could not be enhanced."""
        self.records[sample["name"]] = {**_source(sample), "error": str(error)}

    def finish(self, title, facts, width):
        """Wait for the images, then write the tables and the page.

        Args:
            title, facts: of the page; {label: text}.
            width: of a shown image, pixels.

        Returns:
            Two lists of lines: why images were not enhanced, and why some were not measured.
        """
        self._wait(0)
        records = [self.records[name] for name in self.images.names if name in self.records]
        metrics = self.measurement.metrics
        write_tables(self.folder, metrics, [_public(record) for record in records])
        gallery = Gallery(self.folder / "index.html", title, facts, metrics, width)
        for record in records:
            name = record["name"]
            if "error" in record:
                gallery.add_failure(name, record["error"])
            else:
                files = {"input": Path(record["file"]), "result": self.files.path(name, "fake_B")}
                gallery.add(record, self.files.shown(name), files, self.files.stages(name))
        gallery.write(means(metrics, [record["metrics"] for record in records if "metrics" in record]))
        return [[record[key] for record in records if record.get(key)] for key in ("error", "problem")]

    def _submit(self, sample, pixels, seconds, images):
        """Measure input and result, which ``images`` returns, in the background, when not too much is waiting."""
        self._wait(WAITING_PIXELS - pixels)
        work = self.pool.submit(self._record, _source(sample), seconds, images)
        self.waiting.append((pixels, sample, work))

    def _wait(self, pixels):
        """Note what is done, until at most so many pixels wait; with 0 or less, until all is done."""
        while self.waiting and (pixels <= 0 or sum(others for others, *_ in self.waiting) > pixels):
            _, sample, work = self.waiting.popleft()
            try:
                record = work.result()
            except WorkError as error:
                self.fail(sample, error)
            else:
                self.records[sample["name"]] = record
                append_record(self.journal, record)

    def _record(self, source, seconds, images):
        before, after = images()
        metrics, problem = self.measurement.measure(source["file"], before, after)
        self.files.write_previews(source["name"], (before, after))
        return {
            **source,
            "width": after.width,
            "height": after.height,
            "seconds": seconds,
            "metrics": metrics,
            "problem": problem,
            "settings": self.settings,
            "histograms": [levels_histogram(before), levels_histogram(after)],
        }


def _source(sample):
    return {"name": sample["name"], "file": sample["A_paths"][0]}


def _public(record):
    """A record without what only the page and a later run need."""
    return {key: value for key, value in record.items() if key not in ("settings", "histograms")}
