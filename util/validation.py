"""A few fixed pictures, enhanced again and again while a model trains."""

import json
import math
from pathlib import Path

from data.image_folder import find_pictures, open_picture
from util.errors import WorkError
from util.files import write_text
from util.images import to_8bit
from util.loss_log import read_records

MOST = 8  # pictures that are shown and measured


class Validation:
    """Enhances the first pictures of ``--val_dir`` and measures them against those of ``--val_ref``.

    Args:
        opt: reads val_dir and val_ref; a reference has the picture's name, with any extension.
        folder: the run's folder, in which validation.jsonl is kept.
        resume_at: number of pictures after which a resumed run goes on; later records are dropped.

    Raises:
        WorkError: a picture or a reference is missing, damaged or of another size.
    """

    def __init__(self, opt, folder, resume_at=None):
        paths = find_pictures(opt.val_dir)[:MOST]
        self.pictures = {path.stem: to_8bit(open_picture(path)).convert("RGB") for path in paths}
        self.references = _references(opt.val_ref, self.pictures) if opt.val_ref else {}
        self.file = Path(folder) / "validation.jsonl"
        records = read_records(self.file)
        kept = [record for record in records if resume_at is not None and record["pictures"] <= resume_at]
        write_text(self.file, "".join(json.dumps(record) + "\n" for record in kept))

    def run(self, enhancer, epoch, pictures):
        """Enhance all pictures; measure and log them where there are references.

        Args:
            enhancer: an ``Enhancer`` that is being trained.
            epoch, pictures: how far training is.

        Returns:
            {name: enhanced PIL picture} and {"psnr", "ssim": mean over the pictures}, empty without references.
        """
        enhancer.eval()
        enhanced = {name: enhancer.enhance(picture) for name, picture in self.pictures.items()}
        enhancer.train()
        if not self.references:
            return enhanced, {}
        from util.metrics import psnr, ssim  # imported where they are used: scikit-image takes a second

        scores = {"psnr": psnr, "ssim": ssim}
        means = {
            name: math.fsum(score(enhanced[one], self.references[one]) for one in enhanced) / len(enhanced)
            for name, score in scores.items()
        }
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch, "pictures": pictures, **means}) + "\n")
        return enhanced, means


def _references(folder, pictures):
    found = {path.stem: path for path in find_pictures(folder)}
    references = {}
    for name, picture in pictures.items():
        if name not in found:
            raise WorkError(f"--val_ref {folder}: there is no picture {name} in it; --val_dir has one")
        references[name] = to_8bit(open_picture(found[name])).convert("RGB")
        if references[name].size != picture.size:
            raise WorkError(f"{found[name]}: is {references[name].size} pixels, its picture {picture.size}")
    return references
