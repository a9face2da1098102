"""Images in, batches out."""

import os
import signal

import torch
from torch.utils.data import DataLoader, default_collate

from data.single_dataset import SingleDataset
from data.unaligned_dataset import EpochSampler, UnalignedDataset
from util import distributed
from util.errors import WorkError


def create_dataset(opt):
    """The data that ``opt.dataset_mode`` names: an iterable of batches whose length is its number of images.

    ``unaligned`` gives {"A", "B": (N, 3, H, W) in [-1, 1]; "A_paths", "B_paths": lists of str}; ``single`` (also
    called ``unaligned_test``) gives the samples of ``SingleDataset``.

    Raises:
        WorkError: a folder is missing or holds no images.
    """
    return TrainingData(opt) if opt.dataset_mode == "unaligned" else SingleDataset(opt)


class TrainingData:
    """The batches of an ``UnalignedDataset``, epoch by epoch, made by worker processes.

    The last batch of an epoch is smaller where the batch size does not divide the epoch.
    """

    def __init__(self, opt):
        self.dataset = UnalignedDataset(opt)
        self.sampler = EpochSampler(
            len(self.dataset),
            opt.batch_size,
            shuffle=not opt.serial_batches,
            seed=opt.seed,
            rank=distributed.rank(),
            world=distributed.world_size(),
        )
        workers = min(opt.num_threads, os.cpu_count() or 1)  # more would only be in each other's way
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
        for batch in self.loader:
            if isinstance(batch, WorkError):
                raise batch
            yield batch


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
        return WorkError(
            "images of different sizes cannot share a batch: use --batch_size 1, or a --preprocess that crops"
        )
    return default_collate(samples)
