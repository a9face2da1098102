"""Enhanced images alone, under their inputs' names and folders: test.py --output_dir."""

import threading
from collections import defaultdict

from util.errors import WorkError
from util.files import append_record, make_folder, read_records, write_records
from util.image_io.finding import WRITTEN, identity, output_names
from util.image_io.writing import write_image
from util.results.kept import file_facts
from util.results.results import Results

_FIELDS = (("file", str), ("facts", list), ("made", dict))


class WrittenFiles:
    """What test.py wrote into a folder: a hidden file there has a line for each, so that nothing else is replaced.

    Args:
        folder: made if it is not there.
        overwrite: whether other files may be replaced, too.
    """

    def __init__(self, folder, overwrite):
        self.folder, self.overwrite = make_folder(folder), overwrite
        self.journal, self._lock = self.folder / WRITTEN, threading.Lock()
        self._records = {record["file"]: record for record in read_records(self.journal, _FIELDS)}

    def stands(self, path, made):
        """Whether a file is as it was written, and was made from ``made``."""
        record = self._records.get(self._name(path))
        return record is not None and record["facts"] == _facts(path) and record["made"] == made

    def check(self, paths, inputs):
        """Raise WorkError if writing to these paths would replace an input, or a file that test.py did not write."""
        there = [path for path in paths if path.exists()]
        inputs = {identity(path) for path in inputs}
        if own := [path for path in there if identity(path) in inputs]:
            raise WorkError(f"{own[0]}: is an input, and would be replaced; choose another --output_dir")
        records = self._records
        others = [path for path in there if records.get(self._name(path), {}).get("facts") != _facts(path)]
        if others and not self.overwrite:
            raise WorkError(
                f"{others[0]}: test.py did not write this file, or it was changed since ({len(others)} in all); choose "
                "another --output_dir, or replace them with --overwrite"
            )
        write_records(self.journal, records.values())  # one line a file again, however often it was written

    def note(self, path, made):
        """Note that a file has been written."""
        with self._lock:
            append_record(self.journal, {"file": self._name(path), "facts": _facts(path), "made": made})

    def _name(self, path):
        return path.relative_to(self.folder).as_posix()


def _facts(path):
    return file_facts(path)[1:]  # not where: the folder may be moved


class OutputFolder(Results):
    """The same as ``Results`` for the loop of test.py, but without inputs, figures and page.

    Args:
        opt: reads output_dir, overwrite, skip_existing, output_format, quality, strength, aspect_ratio, num_threads.
        images, weights: as for ``Results``.
    """

    def __init__(self, opt, images, weights):
        super().__init__(opt, opt.output_dir, images, None, weights)
        self.written = WrittenFiles(self.folder, opt.overwrite)
        self.paths = dict(zip(images.names, self._targets(), strict=True))

    def _image_files(self):
        return None

    def _targets(self):
        """Where the result of each image goes: names are told apart folder by folder."""
        names, together = {}, defaultdict(list)
        for path in self.images.paths:
            together[path.parent].append(path)
        for parent, paths in together.items():
            names |= zip(paths, output_names(paths, parent), strict=True)
        folders = {parent: self.folder / parent.relative_to(self.images.root) for parent in together}
        return [folders[path.parent] / f"{names[path]}.{self.opt.output_format}" for path in self.images.paths]

    def missing(self):
        """The indices of the images to enhance; WorkError if that would replace what test.py did not write."""
        paths = list(enumerate(self.paths.items()))
        kept = {i for i, (name, path) in paths if self.opt.skip_existing and self._stands(name, path)}
        self.written.check([path for i, (_, path) in paths if i not in kept], self.images.paths)
        if kept:
            self.notices.append(f"kept: {len(kept)} of {len(paths)} results")
        return [i for i, _ in paths if i not in kept]

    def _stands(self, name, path):
        return path.exists() and self.written.stands(path, self.made[name])

    def _known(self, sample):
        return {}

    def _write(self, sample, stages):
        path, opt = self.paths[sample["name"]], self.opt
        make_folder(path.parent)
        kept = {key: sample[key] for key in ("alpha", "metadata", "deep", "gray")}
        write_image(path, stages["fake_B"], quality=opt.quality, aspect_ratio=opt.aspect_ratio, **kept)
        self.written.note(path, self.made[sample["name"]])

    def _record(self, known, seconds, images):
        images()
        self.seconds.append(seconds())
        return known

    def _append(self, record):
        pass  # noted when it was written

    def finish(self, title, facts, width):
        """Wait for the images; returns why some failed, and two empty lists, as ``Results`` does."""
        self.wait()
        errors = [self.records.get(name, {}).get("error") for name in self.images.names]
        return [error for error in errors if error], [], []
