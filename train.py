"""Train NeRCo on unpaired pictures: python train.py --dataroot ./dataset --name my_run (--help lists the flags)."""

import os
import sys

# Threads that wait by spinning slow each other down wherever cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from data import create_dataset
from models import create_model
from options.train_options import TrainOptions
from util.errors import run_command
from util.run_folder import open_run_folder
from util.summary import print_summary
from util.visualizer import Visualizer


def main():
    # Options, from the command line; a run that goes on keeps those it was started with.
    opt = TrainOptions().parse()
    torch.manual_seed(opt.seed)

    # Data: unpaired pictures of low light (A) and normal light (B).
    data = create_dataset(opt)

    # Networks, optimizers, schedules; with --continue_train as they were saved.
    model = create_model(opt)
    progress = model.setup(opt) or {"epoch": opt.epoch_count, "seen": 0, "pictures": 0}
    pictures = progress["pictures"]  # seen in the whole run

    # Places to write to, and what is going to happen.
    folder = open_run_folder(opt)
    visualizer = Visualizer(opt, folder, resume_at=pictures if opt.continue_train else None)
    print_summary(opt, data, model, folder, progress)

    last = opt.n_epochs + opt.n_epochs_decay
    for epoch in range(progress["epoch"], last + 1):
        seen = progress["seen"] if epoch == progress["epoch"] else 0  # of this epoch
        data.start_epoch(epoch, seen)

        for batch in visualizer.epoch(data, epoch, last, len(data), seen):
            # One step of the generators, one of the discriminators.
            model.set_input(batch)
            model.optimize_parameters()
            before, pictures = pictures, pictures + len(batch["A"])
            seen += len(batch["A"])

            # Show: losses, live pictures, the web page with curves.
            if due(before, pictures, opt.print_freq):
                visualizer.log_losses(epoch, pictures, model.learning_rate(), model.get_current_losses())
            if due(before, pictures, opt.display_freq):
                visualizer.live.show_pictures(model.get_current_visuals())
            if due(before, pictures, opt.update_html_freq):
                visualizer.update_page(epoch, model.get_current_visuals())

            # Save, so that a run can go on from here.
            if due(before, pictures, opt.save_latest_freq):
                tag = f"iter_{pictures}" if opt.save_by_iter else "latest"
                model.save(tag, {"epoch": epoch, "seen": seen, "pictures": pictures})

        # End of the epoch: the next one's learning rate; weights to keep.
        model.update_learning_rate()
        upcoming = {"epoch": epoch + 1, "seen": 0, "pictures": pictures}
        if epoch % opt.save_epoch_freq == 0 or epoch == last:
            model.save(str(epoch), upcoming)
            model.save("latest", upcoming)
            visualizer.update_page(epoch, model.get_current_visuals())

    print(f"trained; enhance pictures with: python test.py --dataroot {opt.dataroot} --name {opt.name}")


def due(before, after, every):
    """Whether a multiple of ``every`` pictures was passed between two counts."""
    return before // every < after // every


if __name__ == "__main__":
    sys.exit(run_command(main, verbose="--verbose" in sys.argv))
