"""The batches of training, epoch by epoch, made by worker processes."""

import random
import signal
import sys

import torch
from torch.utils.data import DataLoader, Sampler, default_collate
from tqdm import tqdm

from data.unaligned_dataset import UnalignedDataset
from util import distributed
from util.device import cores
from util.errors import WorkError
from util.interruption import Interruption

MIXED_SIZES = "images of different sizes cannot share a batch: use --batch_size 1, or a --preprocess that crops"
ADVICE = "no more than a tenth may be missing: replace or remove them"


class TrainingData:
    """The batches of an ``UnalignedDataset``, epoch by epoch, made by worker processes.

    The last batch of an epoch is smaller where the batch size does not divide the epoch.

    ``unreadable`` lists the images that are left out, in the order in which they were met. ``problem`` is None until
    they are too many: then a WorkError, for training to end with once it has saved.

    Args:
        opt: the options of training.
        interruption: an ``Interruption``, after which an epoch may end early; None: there is none.
    """

    def __init__(self, opt, interruption=None):
        self.dataset = UnalignedDataset(opt)
        self.unreadable, self.problem = [], None
        self.interruption = interruption or Interruption()
        self.sampler = EpochSampler(
            len(self.dataset),
            opt.batch_size,
            shuffle=not opt.serial_batches,
            seed=opt.seed,
            rank=distributed.rank(),
            world=distributed.world_size(),
        )
        workers = min(opt.num_threads, cores())  # more would only be in each other's way
        self.loader = DataLoader(
            self.dataset,
            batch_sampler=self.sampler,
            num_workers=workers,
            collate_fn=_collate,
            worker_init_fn=_leave_signals_to_the_main_process,
            pin_memory=bool(opt.gpu_ids) and torch.cuda.is_available(),
            persistent_workers=workers > 0,
            # Its own: each iteration draws from it, and a resumed run iterates once more than one in one go.
            generator=torch.Generator(),
        )

    def start_epoch(self, epoch, skip=0):
        """Choose the epoch (1, 2, ...) that the next iteration goes through, without its first ``skip`` images."""
        self.sampler.start(epoch, skip)

    def __len__(self):
        return len(self.dataset)

    def __iter__(self):
        """The batches of the epoch, which ends early where training is to, in all processes after the same batch."""
        batches = self._batches()
        while True:
            batch = next(batches, None)
            if distributed.anyone(batch is None or self.ending):
                return
            yield batch

    @property
    def ending(self):
        """Whether training is to end: this process was asked to, or too many images are damaged."""
        return self.problem is not None or self.interruption.signal is not None

    def _batches(self):
        try:
            for batch in self.loader:
                if isinstance(batch, WorkError):
                    raise batch
                self._leave_out(batch.pop("unreadable"))
                yield batch
        except Exception:
            if self.interruption.signal is None:
                raise
            # The signal went to all processes (scancel, kill -- -PGID), and so ended the workers, too.

    def _leave_out(self, unreadable):
        """Tell of images {path: error} that cannot be read, each of them once."""
        for path, error in unreadable.items():
            if path not in self.unreadable:  # other workers meet it, too
                self.unreadable.append(path)
                tqdm.write(f"warning: {error}; it is left out", file=sys.stderr)
        count, total = len(self.unreadable), len(self.dataset.a_paths) + len(self.dataset.b_paths)
        if too_many(count, total):
            self.problem = WorkError(f"{count} of {total} images cannot be read, and {ADVICE} (--dry_run names all)")

    def tell_unreadable(self):
        """Name once more the images that were left out, if there were any."""
        if self.unreadable:
            count, names = len(self.unreadable), ", ".join(self.unreadable)
            print(f"{count} {'image' if count == 1 else 'images'} left out, not readable: {names}", file=sys.stderr)


def too_many(unreadable, images):
    """Whether so many of the images cannot be read that training is to end: more than a tenth, and not just one."""
    return unreadable > max(1, images / 10)


def _leave_signals_to_the_main_process(worker):
    """Ctrl-C reaches the workers, too: they go on, so that the step in progress can be finished and saved."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _collate(samples):
    """A batch of samples, or the error that stands in for one of them."""
    failed = [sample for sample in samples if isinstance(sample, WorkError)]
    if failed:
        return failed[0]
    if len({sample["A"].shape for sample in samples}) > 1:
        return WorkError(MIXED_SIZES)
    unreadable = {path: error for sample in samples for path, error in sample.pop("unreadable", {}).items()}
    return {**default_collate(samples), "unreadable": unreadable}


class EpochSampler(Sampler):
    """Batches of the keys (epoch, index) of one epoch's samples, in an order that follows from seed and epoch.

    Several processes share each step: together their batches are the one batch, as many times larger, that a
    single process would take. Where samples are too few for the last step, some of the first are taken again, so
    that all have equally many.

    Args:
        length: samples in an epoch.
        batch_size: samples per process and step.
        shuffle: whether the order is random.
        seed: of the order.
        rank, world: number of this process, and of all.
    """

    def __init__(self, length, batch_size, shuffle, seed, rank=0, world=1):
        self.length, self.batch_size, self.shuffle, self.seed = length, batch_size, shuffle, seed
        self.rank, self.world = rank, world
        self.epoch, self.skip = 1, 0

    def start(self, epoch, skip=0):
        """Choose the epoch of the next iteration, without its first ``skip`` samples."""
        self.epoch, self.skip = epoch, skip

    def __len__(self):
        return -(-max(0, self.length - self.skip) // (self.batch_size * self.world))

    def __iter__(self):
        order = list(range(self.length))
        if self.shuffle:
            random.Random(f"{self.seed} {self.epoch}").shuffle(order)
        together = self.batch_size * self.world
        for start in range(self.skip, self.length, together):
            step = order[start : start + together]
            while len(step) % self.world:
                step.append(order[len(step) % self.length])
            share = len(step) // self.world
            yield [(self.epoch, index) for index in step[self.rank * share : (self.rank + 1) * share]]
