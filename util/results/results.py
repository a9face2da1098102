"""What a run of test.py leaves behind: images, their figures and the page, written while others are computed."""

import errno
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from util import distributed
from util.device import cores, to_host
from util.errors import WorkError
from util.files import append_record, make_folder, write_records
from util.image_io.finding import JOURNAL
from util.results.gallery import Gallery, levels_histogram
from util.results.image_files import ImageFiles, prepared
from util.results.kept import earlier_records, file_facts, shaping, stands
from util.results.tables import write_tables

WAITING_PIXELS = 16_000_000  # of enhanced images that wait to be written
_ONLY_FOR_LATER = ("input", "settings", "made", "stages", "histograms")  # what only the page and later runs need


class Results:
    """results/NAME/test_EPOCH: images, metrics.csv, metrics.json and index.html.

    Args:
        opt: reads skip_existing, save_stages, reference, num_threads, and what ``ImageFiles`` and ``shaping`` read.
        folder: where all of it goes; made if it is not there.
        images: the ``SingleDataset`` whose images are enhanced, in the order of the page.
        measurement: a ``Measurement``.
        weights: their hash.

    ``seconds`` are those that each enhancement took, ``records`` is {name: record}. Each record is also a line of
    records.jsonl, so that a run that was interrupted can go on without measuring again. ``notices`` are lines about
    what earlier runs left in the folder.
    """

    def __init__(self, opt, folder, images, measurement, weights):
        self.opt, self.images, self.measurement = opt, images, measurement
        self.folder = make_folder(folder)
        self.files = self._image_files()
        self.journal = self.folder / JOURNAL
        common = shaping(opt, weights)
        facts = zip(images.names, map(file_facts, images.paths), strict=True)
        self.made = {name: {"source": source, **common} for name, source in facts}
        self.pool = ThreadPoolExecutor(max(1, min(opt.num_threads, cores())))
        self.waiting, self.records, self.seconds = deque(), {}, []
        self.notices, self.unwritten, self.disk_is_full = [], [], False

    def _image_files(self):
        return ImageFiles(self.folder / "images", self.opt)

    def missing(self):
        """The indices of the images to enhance: with ``--skip_existing`` those without a result that ``stands``.

        The others are taken over; what is not recorded of them is measured again.
        """
        missing, kept = [], {}
        earlier = earlier_records(self.journal) if self.opt.skip_existing else {}
        for index, (name, path) in enumerate(zip(self.images.names, self.images.paths, strict=True)):
            record = earlier.get(name)
            there = record and self.files.complete(record) and (record.get("stages", True) or not self.opt.save_stages)
            if there and stands(record, self.made[name], str(path), self.files.path(name, "fake_B")):
                kept[name] = {**record, "file": str(path)}  # as it is named now
            else:
                missing.append(index)
        # Without those made anew: killed between a new result and its record, a run would leave a wrong one.
        others = {name: record for name, record in earlier.items() if name not in self.made}
        write_records(self.journal, {**others, **kept}.values())
        self._note_what_is_there(earlier, kept)
        for name, record in kept.items():
            if record["settings"] == self._settings(record["file"]):
                self.records[name] = record
            else:
                sample = {"name": name, "A_paths": [record["file"]]}
                known = {key: record[key] for key in ("input", "made", "stages") if key in record}
                self._submit(sample, 0, lambda: None, partial(self.files.read, record), known)
        return missing

    def _note_what_is_there(self, earlier, kept):
        if anew := len(earlier.keys() & self.made.keys()) - len(kept):
            differ = "source, weights or settings differ, or a file is missing"
            self.notices.append(f"made anew: {anew} of an earlier run's results; {differ}")
        if kept:
            former = sum("made" not in record for record in kept.values())
            unknown = f"; by which weights and settings {former} were made, a former version did not record"
            self.notices.append(f"kept: {len(kept)} of {len(self.made)} results{unknown if former else ''}")
        if others := self.files.of_others(self.made):
            example = f"{len(others)} of other images or formats, such as {others[0]}"
            self.notices.append(f"not of this run, and not on its page: {example} in {self.files.folder}")

    def add(self, sample, stages, seconds):
        """Write and measure an enhanced image, in the background.

        Args:
            sample: what ``SingleDataset`` gave.
            stages: {"fake_B": (3, H, W), "pre_A": (3, H, W), "mask": (1, H, W)} as the networks gave them, on any
                device.
            seconds: a function that returns what its enhancement took, once the images are there.

        Raises:
            WorkError: the disk is full.
        """
        pixels = stages["fake_B"][0].numel()
        copies, arrived = to_host(prepared(self.opt, sample, stages))

        def images():
            arrived()
            return self._write(sample, copies)

        self._submit(sample, pixels, seconds, images, {"made": self.made[sample["name"]], **self._known(sample)})
        if self.disk_is_full:
            raise WorkError(f"{self.folder}: the disk is full; free some of it, then go on with --skip_existing")

    def _known(self, sample):
        """What is known of an image's files before they are written."""
        return {"input": self.files.input_name(sample), "stages": self.opt.save_stages}

    def _write(self, sample, stages):
        return self.files.write(sample, stages)

    def fail(self, sample, error):
        """Note an image that could not be enhanced."""
        self.records[sample["name"]] = {**_source(sample), "error": str(error)}

    def gather(self):
        """Wait for the images, those of all processes, and let the first one have what is known of them."""
        self.wait()
        if parts := distributed.gather((self.records, self.seconds, self.unwritten)):
            self.records = {name: record for records, _, _ in parts for name, record in records.items()}
            self.seconds = [one for _, seconds, _ in parts for one in seconds]
            self.unwritten = [line for _, _, lines in parts for line in lines]

    def finish(self, title, facts, width):
        """Wait for the images, then write the tables and the page: the first process does.

        Args:
            title, facts: of the page; {label: text}.
            width: of a shown image, pixels.

        Returns:
            Three lists of lines: why images were not enhanced, why some were not measured, and which files beside the
            images could not be written.
        """
        self.wait()
        if not distributed.is_main():
            return [], [], []
        records = [self._if_there(self.records[name]) for name in self.images.names if name in self.records]
        public = [{key: value for key, value in one.items() if key not in _ONLY_FOR_LATER} for one in records]
        gallery = Gallery(self.folder / "index.html", title, facts, self.measurement.metrics, width)
        for write in (
            lambda: write_tables(make_folder(self.folder), self.measurement.metrics, public),
            lambda: self._write_page(gallery, records),
        ):
            try:
                write()
            except WorkError as error:
                self.unwritten.append(str(error))
        failed, unmeasured = ([record[key] for record in records if record.get(key)] for key in ("error", "problem"))
        return failed, unmeasured, self.unwritten

    def _if_there(self, record):
        """A record; or that of a failure, if its result was removed while others were made."""
        if "error" in record or self.files.complete(record):
            return record
        source = {key: record[key] for key in ("name", "file")}
        return {**source, "error": f"{record['file']}: something removed its result; run this again"}

    def _write_page(self, gallery, records):
        for record in records:
            name = record["name"]
            if "error" in record:
                gallery.add_failure(name, record["error"])
            else:
                files = {"input": Path(record["file"]), "result": self.files.path(name, "fake_B")}
                stages = self.files.stages(name) if record.get("stages", True) else {}  # not those of an earlier run
                gallery.add(record, self.files.shown(record), files, stages)
        gallery.write([record["metrics"] for record in records if "error" not in record])

    def _submit(self, sample, pixels, seconds, images, known):
        """Measure input and result, which ``images`` returns, in the background, when not too much is waiting."""
        self.wait(WAITING_PIXELS - pixels)
        work = self.pool.submit(self._record, {**_source(sample), **known}, seconds, images)
        self.waiting.append((pixels, sample, work))

    def wait(self, pixels=0):
        """Note what is done, and wait until at most so many pixels are not; with 0 or less, until all is done."""
        while self.waiting:
            _, sample, work = self.waiting[0]
            if 0 < pixels >= sum(others for others, *_ in self.waiting) and not work.done():
                break
            self.waiting.popleft()
            try:
                record = work.result()
            except WorkError as error:
                self.fail(sample, error)
                reason = getattr(error.__cause__, "errno", None)
                self.disk_is_full = self.disk_is_full or reason in (errno.ENOSPC, errno.EDQUOT)
            else:
                self.records[sample["name"]] = record
                self._append(record)

    def _append(self, record):
        """Add a record to the journal. Without it the image is there, but another run does not keep it."""
        try:
            make_folder(self.folder)  # again, if something removed it
            append_record(self.journal, record)
        except (OSError, WorkError) as error:
            reason = getattr(error, "strerror", None) or error
            self.unwritten = [f"{self.journal}: --skip_existing will not keep all of these results ({reason})"]

    def _record(self, known, seconds, images):
        before, after = images()
        metrics, problem = self.measurement.measure(known["file"], before, after)
        self.files.write_previews(known, (before, after))
        if (took := seconds()) is not None:
            self.seconds.append(took)
        return {
            **known,
            "width": after.width,
            "height": after.height,
            "seconds": took,
            "metrics": metrics,
            "problem": problem,
            "settings": self._settings(known["file"]),
            "histograms": [levels_histogram(before), levels_histogram(after)],
        }

    def _settings(self, file):
        """What the figures of an image depend on, but for the result, JSON values."""
        measurement = self.measurement
        common = [str(self.opt.reference), measurement.gt_mean, list(measurement.metrics)]
        if measurement.references is None:
            return common
        try:
            return [*common, file_facts(measurement.references.of(file))]
        except WorkError as error:
            return [*common, str(error)]


def _source(sample):
    return {"name": sample["name"], "file": sample["A_paths"][0]}
