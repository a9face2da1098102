"""Images in, batches out."""

from data.loader import TrainingData
from data.single_dataset import SingleDataset


def create_dataset(opt, interruption=None):
    """The data of a command: an iterable of batches whose length is its number of images.

    Training gives {"A", "B": (N, 3, H, W) in [-1, 1]; "A_paths", "B_paths": lists of str}; testing gives the samples
    of ``SingleDataset``. With an ``Interruption`` an epoch of training ends where a signal has ended its workers.

    Raises:
        WorkError: a folder is missing or holds no images.
    """
    return TrainingData(opt, interruption) if opt.isTrain else SingleDataset(opt)
