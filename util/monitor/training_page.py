"""The page of a training run: what every stage makes of the current images, epoch by epoch."""

import re
from pathlib import Path
from shutil import copyfile

from dominate.tags import div, h2, main, p, section

from util.files import make_folder, write_file
from util.image_io.tensors import to_image
from util.page import address, captioned_image, new_page, page_header, write_page

REFRESH = 60  # seconds after which an open page is loaded again

LABELS = {
    "real_A": "A: low light",
    "pre_A": "pre_A: normalised",
    "mask": "mask",
    "fake_B": "fake_B: enhanced",
    "rec_A": "rec_A: A again",
    "real_B": "B: normal light",
    "fake_A": "fake_A: degraded",
    "rec_B": "rec_B: B again",
}


class TrainingPage:
    """saves/NAME/web: index.html, images/epochNNN_STAGE.png (the last ones of each epoch) and curves.

    Args:
        folder: the run's folder.
        title: name of the run.
        width: width of a shown image, pixels.
    """

    def __init__(self, folder, title, width):
        self.folder, self.title, self.width = Path(folder) / "web", title, width
        self.images = make_folder(self.folder / "images")
        self.validation, self.scores = [], {}

    def set_validation(self, images, scores):
        """Keep the newest validation images {name: PIL image} and their mean scores for the page."""
        self.validation, self.scores = list(images), scores
        for number, image in enumerate(images.values()):
            write_file(self.images / f"validation_{number}.png", image.save)

    def update(self, epoch, visuals, sentence, curves=()):
        """Replace this epoch's images, take over the curves, and write the page.

        Args:
            epoch: 1, 2, ...
            visuals: {stage: (N, C, H, W) in [-1, 1]}; the first of each batch is shown.
            sentence: the newest line of the loss log.
            curves: files of curves, which are copied beside the page.
        """
        for curve in curves:
            write_file(
                make_folder(self.folder / "curves") / curve.name, lambda beside, one=curve: copyfile(one, beside)
            )
        for stage, batch in visuals.items():
            write_file(self.images / f"epoch{epoch:03d}_{stage}.png", to_image(batch[0]).save)
        write_page(self.folder / "index.html", self._page(sentence, curves))

    def _page(self, sentence, curves):
        title = f"{self.title}: training"
        page = new_page(title, self.width, refresh=REFRESH)
        with page:
            with page_header(title):
                p(sentence)
            with main():
                if self.validation:
                    scores = ", ".join(f"mean {name} {value:.4g}" for name, value in self.scores.items())
                    self._section("Validation" + (f": {scores}" if scores else ""), self._validated())
                for epoch in self._epochs():
                    self._section(f"Epoch {epoch}", self._stages(epoch))
                if curves:
                    self._section(
                        "Losses", [(f"curves/{file.name}", f"curve of {file.stem}", file.stem) for file in curves]
                    )
        return page

    def _section(self, title, images):
        """A heading and its images: file below the page's folder, what it shows, caption."""
        with section():
            h2(title)
            with div(cls="images"):
                for file, description, caption in images:
                    captioned_image(address(self.folder / file, self.folder), description, caption)

    def _validated(self):
        for number, name in enumerate(self.validation):
            yield f"images/validation_{number}.png", f"{name}, enhanced", name

    def _epochs(self):
        """The epochs whose images are there, the newest first; earlier runs' count, as after a resume."""
        numbers = {int(found[1]) for file in self.images.iterdir() if (found := re.match(r"epoch(\d+)_", file.name))}
        return sorted(numbers, reverse=True)

    def _stages(self, epoch):
        for stage, label in LABELS.items():
            file = f"epoch{epoch:03d}_{stage}.png"
            if (self.images / file).exists():
                yield f"images/{file}", f"epoch {epoch}, {label}", label
