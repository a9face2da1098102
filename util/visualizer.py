"""Everything that a training run shows: progress bar, logs, web page, curves, live view."""

from pathlib import Path

from tqdm import tqdm

from util.curves import draw_curves
from util.live_view import LiveView
from util.loss_log import LossLog, read_losses
from util.training_page import TrainingPage


class Visualizer:
    """One object between the training loop and the places where its course can be seen.

    Args:
        opt: the options of training.
        folder: the run's folder, which exists.
        resume_at: number of pictures after which a resumed run goes on, or None for a new run.
    """

    def __init__(self, opt, folder, resume_at=None):
        self.folder = folder
        self.curves_folder = Path("loss") / f"loss_{opt.name}"
        self.log = LossLog(folder, resume_at)
        self.page = None if opt.no_html else TrainingPage(folder, opt.name, opt.display_winsize)
        self.live = LiveView(opt)
        self.bar = None
        self.sentence = ""

    def epoch(self, batches, number, last, total, seen):
        """Go through the batches of an epoch under a progress bar that counts pictures.

        Args:
            batches: iterable of batches.
            number, last: this epoch and the last one.
            total, seen: pictures in an epoch, and how many of them are already done.
        """
        title = f"epoch {number}/{last}"
        with tqdm(total=total, initial=seen, desc=title, unit="picture", dynamic_ncols=True) as self.bar:
            for batch in batches:
                yield batch
                self.bar.update(len(batch["A"]))

    def log_losses(self, epoch, pictures, rate, losses):
        """Log the losses {name: float} after a number of pictures at a learning rate."""
        self.sentence = self.log.add(epoch, pictures, rate, losses)
        self.bar.set_postfix({name: f"{losses[name]:.2f}" for name in ("G_A", "cycle_A", "D_A") if name in losses})
        self.live.show_losses(pictures, losses)

    def update_page(self, epoch, visuals):
        """Write the newest pictures and curves to disk."""
        if self.page:
            self.page.update(epoch, visuals, self.sentence)
        draw_curves(read_losses(self.folder), self.curves_folder)
