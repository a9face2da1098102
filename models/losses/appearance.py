"""The text-driven appearance discriminator (TAD in the paper): judges whether images look like a domain."""

import torch

from models.losses.losses import gan_loss, gradient_penalty, l1
from models.networks.layers import batched
from util import distributed
from util.image_pool import ImagePool


class AppearanceDiscriminator:
    """What one domain, low light or normal light, demands of an image: by its colours, its edges, and CLIP's words.

    Args:
        colour: discriminator network of the images themselves, or None if that judgement is left out.
        edge: discriminator network of their edge maps, or None.
        edge_filter: the high-pass filter E.
        words: what the text prior should say of the domain's images, (low light, normal light).
        opt: reads gan_mode, lambda_gp, edge_adversary, pool_size and seed.
        name: tells the random choices of its pools from those of others.
    """

    def __init__(self, colour, edge, edge_filter, words, opt, name):
        self.colour_net, self.edge_net, self.edge_filter = colour, edge, edge_filter
        self.words, self.opt = words, opt
        self.pools = {
            kind: ImagePool(opt.pool_size, f"{opt.seed} {distributed.rank()} {name} {kind}")
            for kind in ("fake", "normalised", "edges")
        }
        self._edges = None  # of the present fake, if both steps are to be shown the same

    # The generators' step: how far images are from being taken for the domain's own.

    def colour(self, *images):
        """GAN(D(x), real) for each batch x (N, 3, H, W) in [-1, 1]: a list of scalars."""
        return [gan_loss(self.opt.gan_mode, scores, True) for scores in batched(self.colour_net, *images)]

    def edge(self, image):
        """GAN(D_edge(E(x)), real): a scalar. The released recipe shows D_edge the image itself."""
        shown = self.edge_filter(image) if self.opt.edge_adversary == "edges" else image
        if self.opt.edge_adversary == "edges" and self.opt.edge_projection == "fixed":
            self._edges = shown.detach()
        return gan_loss(self.opt.gan_mode, self.edge_net(shown), True)

    def text(self, probabilities):
        """The mean absolute difference of p(x) (N, 2) from what should be said of this domain: a scalar."""
        wanted = torch.cat([probabilities.new_full((1, 1), word) for word in self.words], dim=1)  # (1, 2)
        return l1(probabilities, wanted.expand_as(probabilities))

    # The discriminators' step: how far they are from telling real from fake (docs/method.md, section 4).

    def colour_error(self, real, **fakes):
        """The colour discriminator's loss: real against each batch of fakes, named ``fake`` or ``normalised``."""
        return self._error(self.colour_net, real, [self.pools[kind].query(batch) for kind, batch in fakes.items()])

    def edge_error(self, real, fake):
        """The edge discriminator's loss: E(real) against E(fake), which the generators' step may have left."""
        edges, self._edges = self._edges, None
        edges = self.edge_filter(fake) if edges is None else edges
        return self._error(self.edge_net, self.edge_filter(real), [self.pools["edges"].query(edges)])

    def _error(self, network, real, fakes):
        """The sum of (GAN(D(real), real) + GAN(D(fake), fake)) / 2 over the batches of fakes: a scalar."""
        mode = self.opt.gan_mode
        of_real, *of_fakes = batched(network, real, *fakes)
        error = sum((gan_loss(mode, of_real, True) + gan_loss(mode, scores, False)) / 2 for scores in of_fakes)
        if self.opt.lambda_gp:
            error = error + self.opt.lambda_gp * sum(gradient_penalty(network, real, fake) for fake in fakes)
        return error
