"""The images that a run of test.py leaves: inputs, results, stages, and previews for the page."""

import torch
from PIL import Image

from util.files import make_folder, write_file
from util.image_io.reading import read_image
from util.image_io.tensors import to_image
from util.image_io.writing import write_image
from util.results.kept import is_lossy
from util.stages import STAGES, viewable

COMPARED = ("real_A", "fake_B")  # before and after
SAVED_STAGES = ("pre_A", "mask")  # with --save_stages
PREVIEW_SIDE = 2048  # pixels; larger images are shown smaller on the page
SHOWN_BY_BROWSERS = ("png", "jpg", "webp")


class ImageFiles:
    """The files NAME_STAGE.FORMAT in one folder.

    Args:
        folder: made if it is not there.
        opt: reads output_format, quality, strength, aspect_ratio, save_stages.
    """

    def __init__(self, folder, opt):
        self.folder, self.opt = make_folder(folder), opt

    def path(self, name, stage):
        """Where a stage of an image lies."""
        return self.folder / f"{name}_{stage}.{self.opt.output_format}"

    def complete(self, name):
        """Whether the image's input and its result are there, and the stages that are to be saved."""
        wanted = (*COMPARED, *SAVED_STAGES) if self.opt.save_stages else COMPARED
        return all(self.path(name, stage).exists() for stage in wanted)

    def of_others(self, names):
        """The results that are there, but not those of images of these names in this format, sorted."""
        expected = {self.path(name, "fake_B").name for name in names}
        return sorted({path.name for path in self.folder.glob("*_fake_B.*")} - expected)

    def write(self, sample, stages):
        """Write an image's input, its result and its stages.

        Args:
            sample: what ``SingleDataset`` gave.
            stages: {"fake_B": (3, H, W), ...}, as the networks gave them, on the CPU.

        Returns:
            Input and result as they were saved, in 8 bits: two PIL images.
        """
        make_folder(self.folder)  # again, if something removed it
        low = sample["A"][0]  # (3, H, W)
        stages = {"real_A": low, **stages}
        if self.opt.strength < 1:
            stages["fake_B"] = torch.lerp(low, stages["fake_B"], self.opt.strength)
        written = {}
        for stage, values in stages.items():
            # The other stages are for looking at.
            whole = {key: sample[key] for key in ("alpha", "metadata", "deep", "gray")} if stage in COMPARED else {}
            written[stage] = write_image(
                self.path(sample["name"], stage),
                viewable(stage, values),
                quality=self.opt.quality,
                aspect_ratio=self.opt.aspect_ratio,
                **whole,
            )
        # A format that loses something is read back: what is saved is what is measured, now and by another run.
        return self.read(sample["name"]) if is_lossy(self.opt) else [written[stage] for stage in COMPARED]

    def read(self, name):
        """Input and result as they were saved: two 8-bit PIL images."""
        images = [read_image(self.path(name, stage)) for stage in COMPARED]
        return [to_image(image.pixels, image.alpha) if image.deep else image.pixels for image in images]

    def write_previews(self, name, images):
        """Write input and result (PIL images) for the page where the files are too large, or not for browsers."""
        for stage, image in zip(COMPARED, images, strict=True):
            path = self._preview(name, stage)
            if self.opt.output_format in SHOWN_BY_BROWSERS and max(image.size) <= PREVIEW_SIDE:
                path.unlink(missing_ok=True)
                continue
            small = image.copy()
            small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
            write_file(path, lambda beside, small=small: small.save(beside, format="WEBP", quality=90))

    def shown(self, name):
        """What the page shows of input and result: the previews where there are some."""
        previews = [self._preview(name, stage) for stage in COMPARED]
        return [
            preview if preview.exists() else self.path(name, stage)
            for stage, preview in zip(COMPARED, previews, strict=True)
        ]

    def stages(self, name):
        """The stages that were saved: {label: file}."""
        files = {STAGES[stage].label: self.path(name, stage) for stage in SAVED_STAGES}
        return {label: file for label, file in files.items() if file.exists()}

    def _preview(self, name, stage):
        return self.folder / f"{name}_{stage}_preview.webp"
