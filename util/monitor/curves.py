"""One image per loss: its course over a training run.

    python -m util.monitor.curves saves/my_run loss/loss_my_run

draws them again from a run's log, at any time.
"""

import sys
from functools import partial

import numpy as np

from util.errors import UsageError, WorkError, run_command
from util.files import make_folder, write_file
from util.monitor.loss_log import read_losses


def draw_curves(records, folder):
    """Draw each loss of a log into FOLDER/LOSS.png: its values and, where there are many, their running mean.

    Args:
        records: as ``read_losses`` returns them.
        folder: is made if missing.

    Returns:
        The paths of the images, in the order of the log.
    """
    if not records:
        return []
    from matplotlib.figure import Figure  # imported where it is used: it takes most of a second

    folder = make_folder(folder)
    images = np.array([record["pictures"] for record in records])
    window = max(1, len(images) // 20)
    # One figure with fixed margins, whose lines move: training waits while the curves are drawn.
    axes = Figure(figsize=(6, 3.2), dpi=100).add_axes((0.11, 0.15, 0.86, 0.75), xlabel="images", ylabel="loss")
    axes.grid(alpha=0.3)
    (line,) = axes.plot(images, images, linewidth=0.8, alpha=0.35 if window > 1 else 1, color="tab:blue")
    if window > 1:
        (mean,) = axes.plot(images[window - 1 :], images[window - 1 :], color="tab:blue", label=f"mean of {window}")
        axes.legend(frameon=False, loc="upper right")
    paths = []
    for name in records[-1]["losses"]:
        values = np.array([record["losses"].get(name, np.nan) for record in records])
        line.set_ydata(values)
        if window > 1:
            mean.set_ydata(np.convolve(values, np.full(window, 1 / window), mode="valid"))
        axes.set_title(name)
        axes.relim()
        axes.autoscale()
        paths.append(folder / f"{name}.png")
        write_file(paths[-1], partial(axes.figure.savefig, pil_kwargs={"compress_level": 1}))
    return paths


def main():
    """Draw the curves of a run: two arguments, the run's folder and the folder for the images."""
    if len(sys.argv) != 3:
        raise UsageError("python -m util.monitor.curves takes two folders: that of the run and that for the curves")
    records = read_losses(sys.argv[1])
    if not records:
        raise WorkError(f"{sys.argv[1]}: there is no losses.jsonl with losses in this folder")
    print("\n".join(str(path) for path in draw_curves(records, sys.argv[2])))


if __name__ == "__main__":
    sys.exit(run_command(main, verbose=False))
