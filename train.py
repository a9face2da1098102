"""Train NeRCo on unpaired images: python train.py --dataroot ./dataset --name my_run (--help lists the flags)."""

from util.terminal import begin

if __name__ == "__main__":
    begin()  # the imports below take seconds: until they are done, Ctrl-C ends all in silence

import contextlib
import os
import sys

# Threads that wait by spinning slow each other down wherever cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from data import create_dataset
from models import create_model
from options.dry_run import dry_run
from options.next_command import how_to_enhance, how_to_go_on
from options.train_options import TrainOptions
from util import distributed
from util.checkpoint import run_folder
from util.errors import WorkError, run_command
from util.interruption import interruptions
from util.memory import memory_advice
from util.monitor.summary import print_summary
from util.monitor.validation import Validation
from util.monitor.visualizer import Visualizer
from util.seed import seed_everything

LESS_MEMORY = "try --amp bf16, --checkpoint_activations, a smaller --crop_size or --batch_size, or a smaller --ngf"


def main():
    # Options, from the command line; a run that goes on keeps those it was started with.
    opt = TrainOptions().parse()
    if opt.dry_run:
        return dry_run(opt)
    with distributed.processes(opt), interruptions() as interruption, memory_advice(LESS_MEMORY):
        return train(opt, interruption)


def train(opt, interruption):
    """The training loop; returns the exit status."""
    # Data: unpaired images of low light (A) and normal light (B).
    seed_everything(opt.seed, opt.deterministic)
    data = create_dataset(opt, interruption)
    for notice in data.dataset.notices if distributed.is_main() else []:
        print(notice)

    # Networks, optimizers, schedules; with --continue_train as they were saved.
    model = create_model(opt)
    seed_everything(opt.seed + distributed.rank(), opt.deterministic)
    progress = {"epoch": opt.epoch_count, "seen": 0, "pictures": 0, "best": None}
    resumed = model.setup(opt)
    progress.update(resumed or {})
    last = opt.n_epochs + opt.n_epochs_decay
    if progress["epoch"] > last:
        print(f"nothing left to do: all {last} epochs are trained; a greater --n_epochs or --n_epochs_decay goes on")
        return 0

    # Places to write to, and what is going to happen. The first of several processes writes and shows.
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(run_folder(opt))  # no other training writes to it
        resume_at = progress["pictures"] if resumed else None
        visualizer = stack.enter_context(contextlib.closing(Visualizer(opt, folder, resume_at)))
        validation = Validation(opt, folder, resume_at) if opt.val_dir and distributed.is_main() else None
        for notice in validation.notices if validation else []:
            print(notice)
        print_summary(opt, data, model, folder, progress)
        stack.callback(data.tell_unreadable)
        stack.enter_context(model.rescuing(progress))  # an error ends the run, too, but not unsaved

        while progress["epoch"] <= last:
            epoch = progress["epoch"]
            data.start_epoch(epoch, progress["seen"])

            for batch in visualizer.epoch(data, epoch, last, len(data), progress["seen"]):
                # One step of the generators, one of the discriminators.
                model.set_input(batch)
                model.optimize_parameters()
                before = progress["pictures"]
                taken = len(batch["A"]) * distributed.world_size()
                progress["pictures"], progress["seen"] = before + taken, progress["seen"] + taken

                def due(every, before=before):
                    """Whether this step has passed a multiple of so many images."""
                    return before // every < progress["pictures"] // every

                # Show: losses, images, curves.
                if due(opt.print_freq):
                    model.check_losses()
                    losses = model.get_current_losses()
                    visualizer.log_losses(epoch, progress["pictures"], model.learning_rate(), losses)
                if due(opt.display_freq):
                    visualizer.show_live(progress["pictures"], model.get_current_visuals())
                if due(opt.update_html_freq):
                    visualizer.update_page(epoch, model.get_current_visuals())

                # Validate, and keep the best weights.
                if validation and due(opt.val_freq):
                    images, scores = validation.run(model.enhancer(), epoch, progress["pictures"])
                    visualizer.show_validation(images, scores)
                    better = scores and (progress["best"] is None or scores["psnr"] > progress["best"])
                    if better and model.save_networks("best"):
                        progress["best"] = scores["psnr"]

                # Save, so that a run can go on from here.
                if due(opt.save_latest_freq):
                    model.save("latest", progress, also=[f"iter_{progress['pictures']}"] if opt.save_by_iter else [])

            # Asked to end, by a signal or because too many images are damaged: the epoch has ended early.
            if distributed.anyone(data.ending):
                saved = model.save("latest", progress)
                print(f"\nstopped{' and saved' if saved else ', but not saved'}; go on with: {how_to_go_on(opt)}")
                if data.problem and interruption.signal is None:
                    raise data.problem
                return interruption.status if saved else 1

            # End of the epoch: the next one's learning rate; weights to keep.
            model.update_learning_rate()
            progress["epoch"], progress["seen"] = epoch + 1, 0
            if epoch % opt.save_epoch_freq == 0 or epoch == last:
                saved = model.save("latest", progress, also=[str(epoch)])
                visualizer.update_page(epoch, model.get_current_visuals())

    if not saved:
        raise WorkError(f"the trained weights could not be saved: make room, and go on with: {how_to_go_on(opt)}")
    print(f"trained; enhance images with: {how_to_enhance(opt)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, verbose="--verbose" in sys.argv))
