"""Images in, batches out."""

from data.loader import TrainingData
from data.single_dataset import SingleDataset


def create_dataset(opt):
    """The data that ``opt.dataset_mode`` names: an iterable of batches whose length is its number of images.

    ``unaligned`` gives {"A", "B": (N, 3, H, W) in [-1, 1]; "A_paths", "B_paths": lists of str}; ``single`` (also
    called ``unaligned_test``) gives the samples of ``SingleDataset``.

    Raises:
        WorkError: a folder is missing or holds no images.
    """
    return TrainingData(opt) if opt.dataset_mode == "unaligned" else SingleDataset(opt)
