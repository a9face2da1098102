"""From images, or tensors of images, to what CLIP's image encoder was trained on."""

import torch
import torch.nn.functional as F

# Per-channel statistics of CLIP's training images, for RGB values in [0, 1].
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def _to_rgb(image):
    return image.convert("RGB")


def image_transform(resolution):
    """CLIP's published preprocessing of PIL images of any mode.

    The shorter side is resized to ``resolution`` (bicubic), the middle square cut out, and the result
    normalised. Colours are converted after the crop, as CLIP does: that differs from converting first for
    images with a palette or with transparency.

    Returns:
        A callable: PIL image to float32 tensor (3, resolution, resolution), normalised.
    """
    from torchvision import transforms  # imported where it is used: training takes tensors

    return transforms.Compose(
        [
            transforms.Resize(resolution, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(resolution),
            _to_rgb,
            transforms.ToTensor(),
            transforms.Normalize(CLIP_MEAN, CLIP_STD),
        ]
    )


def _per_channel(values, like):
    # Filled on the device: copying the numbers there would make the host wait for the device.
    return torch.cat([like.new_full((1, 1, 1, 1), value) for value in values], dim=1)  # (1, 3, 1, 1)


def preprocess_tensor(x, resolution=224):
    """CLIP's preprocessing for training: differentiable, of tensors, and of the whole image, without a crop.

    Args:
        x: (N, 3, H, W) RGB in [0, 1], floating point.
        resolution: side of the square to which the image is resized, whatever its aspect ratio.

    Returns:
        (N, 3, resolution, resolution) with x's device and dtype, normalised with CLIP's mean and standard
        deviation. Bicubic resizing can overshoot [0, 1] at edges; it is not clipped, which would lose gradients.
    """
    size = (resolution, resolution)
    x = F.interpolate(x, size, mode="bicubic", antialias=True)  # (N, 3, resolution, resolution)
    return (x - _per_channel(CLIP_MEAN, x)) / _per_channel(CLIP_STD, x)
