"""The text prior: what CLIP, asked with a pair of prompts, takes an image for."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import clip
from models.networks.layers import batched
from util.errors import WorkError
from util.precision import full, in_full_precision

CLIP_NAME = "RN50"
WITHOUT_TEXT = "; or train without the text term: --no_text"


def load_clip(path):
    """The CLIP that judges: RN50 from a file, a folder, the cache folder, or its public address; on the CPU.

    Args:
        path: ``--clip_path``: a file of weights or a folder that holds RN50.pt; None looks into the cache folder.

    Raises:
        WorkError: there are no weights, or they cannot be read; tells where to put them, and of ``--no_text``.
    """
    source = CLIP_NAME if path is None else clip_file(path)
    try:
        return clip.load(source, "cpu")[0]
    except WorkError as error:
        raise WorkError(f"{error}{WITHOUT_TEXT}") from error


def clip_file(path):
    """The file that ``--clip_path`` names, itself or by its folder.

    Raises:
        WorkError: there is no such file.
    """
    file = Path(path) / f"{CLIP_NAME}.pt" if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise WorkError(f"--clip_path {path}: there are no weights of CLIP{WITHOUT_TEXT}")
    return file


def text_prior_of(opt, clip_model):
    """The text prior that the options describe: reads prompt_low, prompt_high, clip_input, clip_path."""
    folder = opt.clip_path and (opt.clip_path if Path(opt.clip_path).is_dir() else Path(opt.clip_path).parent)
    return TextPrior(clip_model, opt.prompt_low, opt.prompt_high, opt.clip_input, folder)


class TextPrior(nn.Module):
    """p(x): the probabilities that an image shows low light and normal light.

    Args:
        clip_model: a CLIP, or anything with ``encode_image``, ``encode_text`` and ``logit_scale``; it is frozen.
        prompts_low, prompts_high: lists of texts; the features of several are averaged.
        clip_input: ``normalized``: bicubic resizing and CLIP's mean and deviation on [0, 1] values; ``raw``, as
            the released code: bilinear, the [-1, 1] values as they are. Both with antialiasing.
        vocabulary_folder: where the vocabulary for other than the default prompts is looked for first.
    """

    def __init__(self, clip_model, prompts_low, prompts_high, clip_input="normalized", vocabulary_folder=None):
        super().__init__()
        self.clip = clip_model.requires_grad_(False).eval()
        self.clip_input = clip_input
        self.side = getattr(clip_model, "input_resolution", 224)
        context = getattr(clip_model, "context_length", 77)
        tokens = clip.tokenize([*prompts_low, *prompts_high], context, download_root=vocabulary_folder)
        with torch.no_grad():
            features = F.normalize(clip_model.encode_text(tokens.to(clip_model.logit_scale.device)), dim=-1)
        domains = [features[: len(prompts_low)], features[len(prompts_low) :]]
        means = torch.stack([domain.mean(0) for domain in domains])  # (2, embed_dim)
        self.register_buffer("text_features", F.normalize(means, dim=-1))

    def forward(self, x):
        """(N, 3, H, W) in [-1, 1] -> (N, 2), the probabilities of low and of normal light; they add up to 1."""
        x = full(x)
        if self.clip_input == "raw":
            x = F.interpolate(x, (self.side, self.side), mode="bilinear", antialias=True)
        else:
            x = clip.preprocess_tensor((x + 1) / 2, self.side)
        features = self.clip.encode_image(x)  # (N, embed_dim)
        with in_full_precision(features):  # the scale, 100 in CLIP, would magnify the rounding of 16 bits
            cosines = F.normalize(full(features), dim=-1) @ self.text_features.T  # (N, 2)
            return (self.clip.logit_scale.exp() * cosines).softmax(dim=-1)


def text_losses(text_prior, normal_light, low_light):
    """The text terms of both domains: L1(p(x), [0, 1]) and L1(p(x), [1, 0]), each summed over its images.

    Args:
        text_prior: a ``TextPrior``, which sees all images in one batch.
        normal_light, low_light: tuples of batches (N, 3, H, W) in [-1, 1], or None.

    Returns:
        Two scalars; 0 where a tuple holds nothing.
    """
    said = batched(text_prior, *normal_light, *low_light)  # (N, 2) each
    normal, low = said[: len(normal_light)], said[len(normal_light) :]
    return _distance(normal, (0, 1)), _distance(low, (1, 0))


def _distance(said, wanted):
    # Numbers, not a tensor: that would be copied to the GPU at every step.
    return sum(((p[:, 0] - wanted[0]).abs() + (p[:, 1] - wanted[1]).abs()).mean() / 2 for p in said if p is not None)
