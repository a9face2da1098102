"""The page of a training run: what every stage makes of the current pictures, epoch by epoch."""

import re
from pathlib import Path
from shutil import copyfile

import dominate
from dominate.tags import a, div, figcaption, figure, h1, h2, header, img, main, meta, p, section, style

from util.files import make_folder, write_file, write_text
from util.gallery import STYLE
from util.images import to_picture

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
        width: width of a shown picture, pixels.
    """

    def __init__(self, folder, title, width):
        self.folder, self.title, self.width = Path(folder) / "web", title, width
        self.images = make_folder(self.folder / "images")
        self.validation, self.scores = [], {}

    def set_validation(self, pictures, scores):
        """Keep the newest validation pictures {name: PIL picture} and their mean scores for the page."""
        self.validation, self.scores = list(pictures), scores
        for number, picture in enumerate(pictures.values()):
            write_file(self.images / f"validation_{number}.png", picture.save)

    def update(self, epoch, visuals, sentence, curves=()):
        """Replace this epoch's pictures, take over the curves, and write the page.

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
            write_file(self.images / f"epoch{epoch:03d}_{stage}.png", to_picture(batch[0]).save)
        write_text(self.folder / "index.html", self._page(sentence, [curve.name for curve in curves]))

    def _page(self, sentence, curves):
        page = dominate.document(title=f"{self.title}: training")
        page.set_attribute("lang", "en")
        with page.head:
            meta(charset="utf-8")
            meta(name="viewport", content="width=device-width, initial-scale=1")
            meta(http_equiv="refresh", content=str(REFRESH))
            style(
                STYLE + f".pictures {{ grid-template-columns: repeat(auto-fill, minmax({self.width // 2}px, 1fr)); }}"
            )
        with page:
            with header():
                h1(f"{self.title}: training")
                p(sentence)
            with main():
                if self.validation:
                    with section():
                        scores = ", ".join(f"mean {name} {value:.4g}" for name, value in self.scores.items())
                        h2("Validation" + (f": {scores}" if scores else ""))
                        with div(cls="pictures"):
                            for number, name in enumerate(self.validation):
                                _shown(f"images/validation_{number}.png", f"{name}, enhanced", name)
                for epoch in self._epochs():
                    with section():
                        h2(f"Epoch {epoch}")
                        with div(cls="pictures"):
                            self._stages(epoch)
                if curves:
                    with section():
                        h2("Losses")
                        with div(cls="pictures"):
                            for name in curves:
                                _shown(f"curves/{name}", f"curve of {Path(name).stem}", Path(name).stem)
        return page.render(pretty=False)

    def _epochs(self):
        """The epochs whose pictures are there, the newest first; earlier runs' count, as after a resume."""
        numbers = {int(found[1]) for file in self.images.iterdir() if (found := re.match(r"epoch(\d+)_", file.name))}
        return sorted(numbers, reverse=True)

    def _stages(self, epoch):
        for stage, label in LABELS.items():
            name = f"epoch{epoch:03d}_{stage}.png"
            if (self.images / name).exists():
                _shown(f"images/{name}", f"epoch {epoch}, {label}", label)


def _shown(address, description, caption):
    with figure():
        with a(href=address):
            img(src=address, alt=description, loading="lazy")
        figcaption(caption)
