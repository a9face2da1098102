"""The history of fakes that discriminators are shown (Shrivastava et al. 2017; docs/method.md, section 4)."""

import random

import torch


class ImagePool:
    """Keeps up to ``size`` fakes and sometimes returns an old one in place of a new one.

    A pool of size 0 keeps none and returns what it is given, gradients included.

    Args:
        seed: of its own random choices.
    """

    def __init__(self, size, seed):
        self.size = size
        self.images = []
        self.rng = random.Random(seed)

    def query(self, images):
        """What the discriminator is shown for a batch of new fakes: (N, C, H, W) -> the same shape, detached.

        While the pool fills, each fake is kept and returned. Once full: with probability 1/2 a random kept one is
        returned and replaced by the new one, else the new one is returned.
        """
        if self.size == 0:
            return images
        return torch.cat([self._exchange(image[None]) for image in images.detach()])

    def _exchange(self, image):  # (1, C, H, W)
        if len(self.images) < self.size:
            self.images.append(image.clone())  # a view would keep the whole batch
            return image
        if self.rng.random() < 0.5:
            return image
        place = self.rng.randrange(self.size)
        old, self.images[place] = self.images[place], image.clone()
        return old.to(image.device)

    def state_dict(self):
        """Images (on the CPU) and the state of the random choices, in types that ``weights_only`` loading accepts."""
        version, words, gauss = self.rng.getstate()
        return {"images": [image.cpu() for image in self.images], "rng": [version, list(words), gauss]}

    def load_state_dict(self, state):
        self.images = list(state["images"])
        version, words, gauss = state["rng"]
        self.rng.setstate((version, tuple(words), gauss))
