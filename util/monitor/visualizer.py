"""Everything that a training run shows: progress bar, logs, web page, curves, live view."""

from pathlib import Path

from tqdm import tqdm

from util import distributed
from util.files import make_folder
from util.going_on import going_on
from util.monitor.curves import draw_curves
from util.monitor.live_view import LiveView
from util.monitor.loss_log import LossLog
from util.monitor.training_page import TrainingPage

BAR_LOSSES = ("G_A", "cycle_A", "D_A")  # there is no room for more beside the progress bar


class Visualizer:
    """What train.py calls to show how far it is. Of several processes only the first shows anything.

    What cannot be written once training has begun, on a full disk for one, does not end it.

    Args:
        opt: the options of training.
        folder: the run's folder, which exists.
        resume_at: number of images after which a resumed run goes on, or None for a new run.
    """

    def __init__(self, opt, folder, resume_at=None):
        self.active = distributed.is_main()
        self.bar, self.newest_line = None, ""
        if self.active:
            self.log = LossLog(folder, resume_at)
            self.page = None if opt.no_html else TrainingPage(folder, opt.name, opt.display_winsize)
            self.curves_folder = make_folder(Path("loss") / f"loss_{opt.name}")
            self.live = LiveView(opt, self.log.history)
            self.board = None
            if opt.tensorboard:
                from util.monitor.tensorboard import TensorBoard  # imported where it is used: it is optional

                self.board = TensorBoard(folder / "tensorboard", resume_at)

    def epoch(self, batches, number, last, total, seen):
        """Go through the batches of an epoch under a progress bar that counts images.

        Args:
            batches: iterable of batches.
            number, last: this epoch and the last one.
            total, seen: images in an epoch, and how many of them are already done.
        """
        look = {"desc": f"epoch {number}/{last}", "unit": "image", "dynamic_ncols": True}
        with tqdm(total=total, initial=seen, disable=not self.active, **look) as self.bar:
            for batch in batches:
                yield batch
                self.bar.update(len(batch["A"]) * distributed.world_size())

    def log_losses(self, epoch, images, rate, losses):
        """Log the losses {name: float} after a number of images at a learning rate."""
        if self.active:
            with going_on():
                self.newest_line = self.log.add(epoch, images, rate, losses)
            self.bar.set_postfix({name: f"{losses[name]:.2f}" for name in BAR_LOSSES if name in losses})
            self.live.show_losses(images, losses)
            if self.board:
                with going_on():
                    self.board.show_losses(images, rate, losses)

    def show_live(self, images, visuals):
        """Show the stages {name: (N, C, H, W) in [-1, 1]} after a number of images in visdom and TensorBoard."""
        if self.active:
            self.live.show_images(visuals)
            if self.board:
                with going_on():
                    self.board.show_images(images, visuals)

    def show_validation(self, images, scores):
        """Put the newest validation images {name: PIL image} on the page, {score: mean} also beside the bar."""
        if scores:
            self.bar.write("validation: " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))
        if self.page:
            with going_on():
                self.page.set_validation(images, scores)

    def update_page(self, epoch, visuals):
        """Draw the curves, and write the page with them and the newest images."""
        if self.active:
            with going_on():
                curves = draw_curves(self.log.history, self.curves_folder)
                if self.page:
                    self.page.update(epoch, visuals, self.newest_line, curves)

    def close(self):
        """End the live view's own server, and TensorBoard's files."""
        if self.active:
            self.live.close()
            if self.board:
                with going_on():
                    self.board.close()
