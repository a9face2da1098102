"""Measure a folder of results of any method as the papers do: python -m benchmarks.peers RESULTS REFERENCES.

Each result is compared at full size, as the 8-bit image it is, with the reference of its name. Papers differ in the
window of SSIM and in whether they use the reference's brightness ("GT mean"); all four are given, so that a figure
can be compared with one that was measured in the same way.
"""

import argparse
import json
import sys
from pathlib import Path

from util.errors import run_command
from util.files import make_folder, write_text
from util.image_io.finding import find_images
from util.image_io.reading import open_rgb
from util.image_io.references import References
from util.metrics.external import ExternalMetric
from util.metrics.scores import matched_mean, means, psnr, ssim

COLUMNS = {
    "psnr": "PSNR",
    "ssim": "SSIM 11x11",
    "ssim_7x7": "SSIM 7x7",
    "psnr_gt_mean": "PSNR, GT mean",
    "ssim_gt_mean": "SSIM 11x11, GT mean",
    "ssim_7x7_gt_mean": "SSIM 7x7, GT mean",
}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__, allow_abbrev=False)
    parser.add_argument("results", metavar="RESULTS", help="folder of enhanced images")
    parser.add_argument("references", metavar="REFERENCES", help="folder of images in normal light")
    parser.add_argument("--method", default="", help="what the row is called; as a rule that of the folder")
    parser.add_argument("--lpips", action="store_true", help="LPIPS, too: needs the package and its weights")
    parser.add_argument("--out", metavar="FILE", help="write the figures of each image and their means, as JSON")
    given = parser.parse_args()

    paths = find_images(given.results)
    references = References(given.references, paths, given.results)
    lpips = ExternalMetric("lpips", "cpu") if given.lpips else None
    images = {path.stem: measure(open_rgb(path), path, references, lpips) for path in paths}
    columns = {**COLUMNS, **({"lpips": "LPIPS"} if given.lpips else {})}
    mean = means(columns, images.values())
    report = {"method": given.method or Path(given.results).name, "means": mean, "images": images}
    if given.out:
        make_folder(Path(given.out).parent)
        write_text(Path(given.out), json.dumps(report, indent=1) + "\n")

    print(f"| {len(images)} images | {' | '.join(columns.values())} |\n{'|---' * (len(columns) + 1)}|")
    print(f"| {report['method']} | {' | '.join(cell(key, mean[key]) for key in columns)} |")
    return 0


def measure(image, path, references, lpips=None):
    """Compare one result, 8-bit RGB, with its reference: {metric: float}."""
    reference = references.open(path, image.size)
    values = {}
    for ending, shown in (("", image), ("_gt_mean", matched_mean(image, reference))):
        values[f"psnr{ending}"] = psnr(shown, reference)
        values[f"ssim{ending}"] = ssim(shown, reference)
        values[f"ssim_7x7{ending}"] = ssim(shown, reference, gaussian=False)
    return {**values, **({"lpips": lpips(image, reference)} if lpips else {})}


def cell(key, value):
    return f"{value:.2f} dB" if key.startswith("psnr") else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(run_command(main, verbose=False))
