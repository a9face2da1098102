"""Stand-ins for CLIP: one that is linear, and one in the published form with random weights."""

import math
import warnings

import torch

from clip import CLIP


class StubCLIP(torch.nn.Module):
    """Linear features of 4x4 means: the stand-in under which the golden training steps were computed.

    Args:
        image_weight: (48, D).
        text_weight: (M, D), the features of the M texts that it is asked about.
    """

    def __init__(self, image_weight, text_weight):
        super().__init__()
        self.image_weight, self.text_weight = torch.nn.Parameter(image_weight), torch.nn.Parameter(text_weight)
        self.logit_scale = torch.nn.Parameter(torch.tensor(math.log(5), dtype=image_weight.dtype))
        self.asked = []  # the number of images, call by call

    def encode_image(self, x):
        self.asked.append(len(x))
        return torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1) @ self.image_weight

    def encode_text(self, tokens):
        assert len(tokens) == len(self.text_weight)
        return self.text_weight


def random_stub(texts=2, dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    return StubCLIP(*(torch.randn(n, 8, generator=generator, dtype=dtype) for n in (48, texts)))


def tiny_clip():
    """A CLIP with the published vocabulary and context length, and next to nothing else, random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vision = {"image_resolution": 32, "vision_layers": (1, 1, 1, 1), "vision_width": 4, "vision_patch_size": None}
        text = {"transformer_width": 64, "transformer_heads": 1, "transformer_layers": 1}
        return CLIP(embed_dim=16, context_length=77, vocab_size=49408, **vision, **text).eval()


def save_archive(state_dict, path):
    """Write a TorchScript archive, the form in which the published weights come, with these entries."""
    root = torch.nn.Module()
    for key, value in state_dict.items():
        *parents, name = key.split(".")
        module = root
        for parent in parents:
            if parent not in dict(module.named_children()):
                module.add_module(parent, torch.nn.Module())
            module = module.get_submodule(parent)
        module.register_buffer(name, torch.as_tensor(value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        torch.jit.script(root).save(str(path))
