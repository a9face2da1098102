"""A CLIP from a state dict alone: the shapes tell its configuration."""

import math

import torch

from clip.model import CLIP, HEAD_WIDTH

# What published files tell about the model among its weights; the weights' shapes tell it too.
DESCRIPTION_KEYS = ("input_resolution", "context_length", "vocab_size")


def build_model(state_dict):
    """A CLIP with the weights of a state dict.

    Args:
        state_dict: tensors under OpenAI's names, of any floating precision; it is copied, never changed.
            ``input_resolution``, ``context_length`` and ``vocab_size`` may be among them and are not read.

    Returns:
        CLIP on the CPU in float32, in evaluation mode. float16 weights are widened, float32 ones stay exact.

    Raises:
        ValueError: keys are missing or unknown, or a shape does not fit the others.
    """
    weights = {key: value for key, value in state_dict.items() if key not in DESCRIPTION_KEYS}
    with torch.device("meta"):  # shapes alone: initial values would be overwritten
        model = CLIP(**_configuration(weights))
    expected = model.state_dict()
    # Batch counts change no output, and files written before PyTorch kept them lack them.
    counts = {key: torch.zeros(()) for key in expected if key.endswith(".num_batches_tracked")}
    weights = {**counts, **weights}
    _check(weights, expected)
    model.to_empty(device="cpu").load_state_dict(weights)
    return model.eval()


def _configuration(weights):
    """The arguments of CLIP; ValueError where no CLIP has such weights."""
    if "visual.proj" in weights:
        vision_width, _, _, vision_patch_size = _shape(weights, "visual.conv1.weight", 4)
        vision_layers = _count(weights, "visual.transformer.resblocks.")
        image_resolution = vision_patch_size * _grid(weights, "visual.positional_embedding")
        image_attention_width = vision_width
    elif "visual.layer1.0.conv1.weight" in weights:
        vision_width = _shape(weights, "visual.layer1.0.conv1.weight", 4)[0]
        vision_layers = tuple(_count(weights, f"visual.layer{stage}.") for stage in (1, 2, 3, 4))
        vision_patch_size = None
        image_resolution = 32 * _grid(weights, "visual.attnpool.positional_embedding")
        image_attention_width = 32 * vision_width
    else:
        raise ValueError("it has neither visual.proj nor visual.layer1.0.conv1.weight")
    context_length, transformer_width = _shape(weights, "positional_embedding", 2)
    for width in (image_attention_width, transformer_width):
        heads = width // HEAD_WIDTH
        if heads == 0 or width % heads:
            raise ValueError(f"an attention of width {width} cannot be split into heads of {HEAD_WIDTH}")
    return {
        "embed_dim": _shape(weights, "text_projection", 2)[1],
        "image_resolution": image_resolution,
        "vision_layers": vision_layers,
        "vision_width": vision_width,
        "vision_patch_size": vision_patch_size,
        "context_length": context_length,
        "vocab_size": _shape(weights, "token_embedding.weight", 2)[0],
        "transformer_width": transformer_width,
        "transformer_heads": transformer_width // HEAD_WIDTH,
        "transformer_layers": _count(weights, "transformer.resblocks."),
    }


def _shape(weights, key, dimensions):
    if key not in weights:
        raise ValueError(f"{key} is missing")
    shape = tuple(weights[key].shape)
    if len(shape) != dimensions or 0 in shape:
        raise ValueError(f"{key} has the shape {shape}, expected {dimensions} dimensions, none of them 0")
    return shape


def _grid(weights, key):
    rows = _shape(weights, key, 2)[0]
    grid = math.isqrt(rows - 1)
    if grid == 0 or grid**2 + 1 != rows:
        raise ValueError(f"{key} has {rows} rows, not a square plus one")
    return grid


def _count(weights, prefix):
    """How many different names follow the prefix."""
    return len({key.removeprefix(prefix).split(".")[0] for key in weights if key.startswith(prefix)})


def _check(weights, expected):
    wrong = [f"{key} is missing" for key in expected if key not in weights]
    wrong += [f"{key} is unknown" for key in weights if key not in expected]
    wrong += [
        f"{key} has the shape {tuple(weights[key].shape)}, expected {tuple(expected[key].shape)}"
        for key in expected
        if key in weights and weights[key].shape != expected[key].shape
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise ValueError(wrong[0] + more)
