"""The images that a run of test.py leaves: inputs, results, stages, and previews for the page."""

import shutil

import torch
from PIL import Image

from util.files import make_folder, write_file
from util.image_io.reading import SHOWN_BY_BROWSERS, read_image
from util.image_io.tensors import to_image
from util.image_io.writing import as_written, write_image
from util.results.kept import is_lossy
from util.stages import STAGES, viewable

SAVED_STAGES = ("pre_A", "mask")  # with --save_stages
PREVIEW_SIDE = 2048  # pixels; larger images are shown smaller on the page


def prepared(opt, sample, stages):
    """What is written of an image, in as few bytes as may be, computed on the device of the stages.

    Args:
        opt: reads save_stages, strength.
        sample: what ``SingleDataset`` gave.
        stages: {"fake_B": (3, H, W), "pre_A": (3, H, W), "mask": (1, H, W)} as the networks gave them.
    """
    wanted = ("fake_B", *SAVED_STAGES) if opt.save_stages else ("fake_B",)
    found = {stage: viewable(stage, stages[stage]) for stage in wanted}
    if opt.strength < 1:
        result = found["fake_B"]
        found["fake_B"] = torch.lerp(sample["A"][0].to(result), result, opt.strength)
    kinds = {"fake_B": (sample["deep"], sample["gray"])}  # the others are for looking at
    return {stage: as_written(values, *kinds.get(stage, (False, False))) for stage, values in found.items()}


class ImageFiles:
    """The files NAME_STAGE.FORMAT in one folder; of the input, a copy of its own file where browsers show that.

    A record, or what is known before there is one, names the image and the file of its input: {"name", "input"}. A
    former version wrote that in the format of the results, and did not name it.

    Args:
        folder: made if it is not there.
        opt: reads output_format, quality, strength, aspect_ratio, save_stages.
    """

    def __init__(self, folder, opt):
        self.folder, self.opt = make_folder(folder), opt

    def path(self, name, stage):
        """Where a stage of an image lies."""
        return self.folder / f"{name}_{stage}.{self.opt.output_format}"

    def input_name(self, sample):
        """The name of the file that shows an image's input."""
        return f"{sample['name']}_real_A.{self._as_it_is(sample) or self.opt.output_format}"

    def _as_it_is(self, sample):
        """The ending under which the input's own file is copied; None if its image is written."""
        return sample["shown_as"] if self.opt.aspect_ratio == 1 else None

    def compared(self, record):
        """The files of an image's input and result, {stage: path}."""
        result, name = self.path(record["name"], "fake_B"), record["name"]
        return {"real_A": self.folder / record.get("input", f"{name}_real_A{result.suffix}"), "fake_B": result}

    def complete(self, record):
        """Whether the image's input and its result are there, and the stages that are to be saved."""
        saved = [self.path(record["name"], stage) for stage in SAVED_STAGES] if self.opt.save_stages else []
        return all(path.exists() for path in (*self.compared(record).values(), *saved))

    def of_others(self, names):
        """The results that are there, but not those of images of these names in this format, sorted."""
        expected = {self.path(name, "fake_B").name for name in names}
        return sorted({path.name for path in self.folder.glob("*_fake_B.*")} - expected)

    def write(self, sample, stages):
        """Write an image's input, its result and its stages.

        Args:
            sample: what ``SingleDataset`` gave.
            stages: what ``prepared`` gave, on the CPU.

        Returns:
            Input and result as they were saved, in 8 bits: two PIL images.
        """
        make_folder(self.folder)  # again, if something removed it
        record = {"name": sample["name"], "input": self.input_name(sample)}
        if self._as_it_is(sample):
            path = self.compared(record)["real_A"]
            write_file(path, lambda beside: shutil.copyfile(sample["A_paths"][0], beside))  # no link: it may be edited
            before = _in_8_bits(sample["pixels"], sample["alpha"])
        else:
            before = self._write(sample, "real_A", sample["A"][0])
        written = {stage: self._write(sample, stage, values) for stage, values in stages.items()}
        # A format that loses something is read back: what is saved is what is measured, now and by another run.
        return self.read(record) if is_lossy(self.opt) else [before, written["fake_B"]]

    def _write(self, sample, stage, values):
        """Write one image; returns it as it was written, in 8 bits."""
        compared = stage in ("real_A", "fake_B")
        whole = {key: sample[key] for key in ("alpha", "metadata", "deep", "gray")} if compared else {}
        path, opt = self.path(sample["name"], stage), self.opt
        return write_image(path, values, quality=opt.quality, aspect_ratio=opt.aspect_ratio, **whole)

    def read(self, record):
        """Input and result as they were saved: two 8-bit PIL images."""
        images = map(read_image, self.compared(record).values())
        return [_in_8_bits(image.pixels, image.alpha) for image in images]

    def write_previews(self, record, images):
        """Write input and result (PIL images) for the page where the files are too large, or not for browsers."""
        for (stage, file), image in zip(self.compared(record).items(), images, strict=True):
            path = self._preview(record["name"], stage)
            if file.suffix[1:] in SHOWN_BY_BROWSERS.values() and max(image.size) <= PREVIEW_SIDE:
                path.unlink(missing_ok=True)
                continue
            small = image.copy()
            small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
            write_file(path, lambda beside, small=small: small.save(beside, format="WEBP", quality=90))

    def shown(self, record):
        """What the page shows of input and result: the previews where there are some."""
        files = {self._preview(record["name"], stage): file for stage, file in self.compared(record).items()}
        return [preview if preview.exists() else file for preview, file in files.items()]

    def stages(self, name):
        """The stages that were saved: {label: file}."""
        files = {STAGES[stage].label: self.path(name, stage) for stage in SAVED_STAGES}
        return {label: file for label, file in files.items() if file.exists()}

    def _preview(self, name, stage):
        return self.folder / f"{name}_{stage}_preview.webp"


def _in_8_bits(pixels, alpha):
    """A PIL image of what a ``LoadedImage`` holds."""
    return to_image(pixels, alpha) if isinstance(pixels, torch.Tensor) else pixels
