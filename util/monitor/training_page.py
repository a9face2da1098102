"""The page of a training run: the images of every stage, epoch by epoch, with validation images and curves."""

import re
from functools import partial
from pathlib import Path
from shutil import copyfile

from dominate.tags import div, h2, main, p, section

from util.files import make_folder, write_file
from util.image_io.tensors import to_image
from util.page import address, captioned_image, new_page, page_header, write_page
from util.stages import STAGES

REFRESH = 60  # seconds after which an open page is loaded again


class TrainingPage:
    """saves/NAME/web: index.html, images/epochNNN_STAGE.png (the last ones of each epoch) and curves.

    Args:
        folder: the run's folder.
        title: name of the run.
        width: width of a shown image, pixels.
    """

    def __init__(self, folder, title, width):
        self.folder, self.title, self.width = Path(folder) / "web", f"{title}: training", width
        self.images = make_folder(self.folder / "images")
        self.validated, self.scores = [], {}

    def set_validation(self, images, scores):
        """Keep the newest validation images {name: PIL image} and their mean scores for the page."""
        self.validated, self.scores = list(images), scores
        for number, image in enumerate(images.values()):
            write_file(self.images / f"validation_{number}.png", image.save)

    def update(self, epoch, visuals, line, curves=()):
        """Replace this epoch's images, copy the curves, and write the page.

        Args:
            epoch: 1, 2, ...
            visuals: {stage: (N, C, H, W) in [-1, 1]}; the first of each batch is shown.
            line: the newest line of the loss log.
            curves: image files, one per loss.
        """
        for curve in curves:
            write_file(make_folder(self.folder / "curves") / curve.name, partial(copyfile, curve))
        for stage, batch in visuals.items():
            write_file(self.folder / _stage_file(epoch, stage), to_image(batch[0]).save)
        page = new_page(self.title, self.width, refresh=REFRESH)
        with page:
            with page_header(self.title):
                p(line)
            with main():
                for heading, images in self._sections(curves):
                    with section():
                        h2(heading)
                        with div(cls="images"):
                            for file, description, caption in images:
                                captioned_image(address(self.folder / file, self.folder), description, caption)
        write_page(self.folder / "index.html", page)

    def _sections(self, curves):
        """Pairs of a heading and its images, each (file in the page's folder, description, caption)."""
        if self.validated:
            heading = ", ".join(f"mean {name} {value:.4g}" for name, value in self.scores.items())
            yield (
                f"Validation: {heading}" if heading else "Validation",
                [(f"images/validation_{i}.png", f"{name}, enhanced", name) for i, name in enumerate(self.validated)],
            )
        for epoch in self._epochs():
            files = {stage.label: _stage_file(epoch, name) for name, stage in STAGES.items()}
            shown = {label: file for label, file in files.items() if (self.folder / file).exists()}
            yield f"Epoch {epoch}", [(file, f"epoch {epoch}, {label}", label) for label, file in shown.items()]
        if curves:
            yield "Losses", [(f"curves/{file.name}", f"curve of {file.stem}", file.stem) for file in curves]

    def _epochs(self):
        """The epochs that have images, the newest first; also those from before a resume."""
        numbers = {int(found[1]) for file in self.images.iterdir() if (found := re.match(r"epoch(\d+)_", file.name))}
        return sorted(numbers, reverse=True)


def _stage_file(epoch, stage):
    return f"images/epoch{epoch:03d}_{stage}.png"
