"""The adversarial objectives (docs/method.md, sections 3 and 4)."""

import torch
import torch.nn.functional as F

from models.networks.layers import batched
from util.precision import full

GAN_MODES = ("lsgan", "vanilla", "wgangp")


def gan_loss(mode, scores, is_real):
    """How far a discriminator's scores are from a verdict, averaged over all patches: a scalar tensor.

    Args:
        mode: ``lsgan``, the squared error (Mao et al. 2017; the paper's); ``vanilla``, the cross entropy of
            logits (Goodfellow et al. 2014); ``wgangp``, the critic's mean, negative for real (Gulrajani et al. 2017).
        scores: the discriminator's output (N, 1, h, w), unbounded.
        is_real: the verdict asked for.
    """
    scores = full(scores)
    if mode == "wgangp":
        return -scores.mean() if is_real else scores.mean()
    target = torch.full_like(scores, float(is_real))
    if mode == "lsgan":
        return F.mse_loss(scores, target)
    return F.binary_cross_entropy_with_logits(scores, target)


class GANLoss:
    """The adversarial terms of one training run.

    Args:
        mode: one of ``GAN_MODES``.
        lambda_gp: weight of the gradient penalty; 0: none.
    """

    def __init__(self, mode="lsgan", lambda_gp=0.0):
        self.mode, self.lambda_gp = mode, lambda_gp

    def fooled(self, discriminator, *fakes):
        """GAN(D(x), real) of each batch x (N, 3, H, W): scalars; 0 where the discriminator or the batch is None."""
        if discriminator is None:
            return [0 for _ in fakes]
        scores = batched(discriminator, *fakes)
        return [0 if x is None else gan_loss(self.mode, x, True) for x in scores]

    def told_apart(self, discriminator, real, *fakes):
        """The discriminator's loss: real against each batch of fakes (None: no such fakes), summed; a scalar."""
        fakes = [fake for fake in fakes if fake is not None]
        of_real, *of_fakes = batched(discriminator, real, *fakes)
        loss = sum(discriminator_loss(self.mode, of_real, of_fake) for of_fake in of_fakes)
        if self.lambda_gp:
            loss = loss + self.lambda_gp * sum(gradient_penalty(discriminator, real, fake) for fake in fakes)
        return loss


def discriminator_loss(mode, of_real, of_fake):
    """(GAN(D(real), real) + GAN(D(fake), fake)) / 2 of a discriminator's scores (N, 1, h, w): a scalar."""
    return (gan_loss(mode, of_real, True) + gan_loss(mode, of_fake, False)) / 2


def gradient_penalty(discriminator, real, fake):
    """The mean of (|grad D(x)| - 1)^2 at random points x between real and fake images (Gulrajani et al. 2017).

    Args:
        real, fake: (N, 3, H, W), one shape.
    """
    along = torch.rand(real.shape[0], 1, 1, 1, dtype=real.dtype, device=real.device)
    between = (along * real + (1 - along) * fake).detach().requires_grad_()
    scores = discriminator(between)
    (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()
