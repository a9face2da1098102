"""Published weights: where they are found, and how their files are read."""

import warnings
import zipfile
from pathlib import Path

import torch

from clip.build import DESCRIPTION_KEYS, build_model
from clip.download import cache_folder, fetch, is_complete
from clip.preprocess import image_transform
from util.errors import WorkError

PUBLISHED = "https://openaipublic.azureedge.net/clip/models"

# Below PUBLISHED, the folder's name is the file's SHA-256.
MODELS = {
    "RN50": "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt",
    "RN101": "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599/RN101.pt",
    "RN50x4": "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd/RN50x4.pt",
    "RN50x16": "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa/RN50x16.pt",
    "RN50x64": "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c/RN50x64.pt",
    "ViT-B/32": "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
    "ViT-B/16": "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt",
    "ViT-L/14": "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt",
    "ViT-L/14@336px": "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02/ViT-L-14-336px.pt",
}


def available_models():
    """Names of the published models, a list of strings."""
    return list(MODELS)


def load(name_or_path, device=None, download_root=None):
    """A CLIP with trained weights, and the preprocessing of its images.

    Args:
        name_or_path: a file, which is taken as it is, or a name from ``available_models()``, whose file is taken
            from the cache folder or else downloaded into it, and its checksum verified.
        device: a torch.device or its name; by default the GPU where there is one, else the CPU.
        download_root: the cache folder; by default ``$CLIP_CACHE``, else ``~/.cache/clip``.

    Returns:
        (model, preprocess). The model is in evaluation mode, and in float32 on every device whatever the file's
        precision: call ``model.half()`` for half precision. ``preprocess`` makes a PIL image a tensor
        (3, R, R) with R = ``model.input_resolution``.

    Raises:
        WorkError: the name is unknown, the download fails, or the file holds no CLIP. The message names the file.
    """
    path = _locate(name_or_path, download_root)
    try:
        model = build_model(read_state_dict(path))
    except ValueError as error:
        raise WorkError(f"{path} does not hold the weights of a CLIP: {error}") from error
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device), image_transform(model.input_resolution)


def _locate(name_or_path, download_root):
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if name_or_path not in MODELS:
        raise WorkError(f"{name_or_path} is neither a file nor one of CLIP's models: {', '.join(MODELS)}")
    return fetch(*_published(name_or_path, download_root))


def missing_weights(name, download_root=None):
    """What ``load`` would download for a published model: {path: address}, empty where its file is in the cache."""
    address, sha256, path = _published(name, download_root)
    return {} if is_complete(path, sha256) else {path: address}


def _published(name, download_root):
    """Address, SHA-256 and path of a model's file."""
    sha256, file_name = MODELS[name].split("/")
    return f"{PUBLISHED}/{MODELS[name]}", sha256, cache_folder(download_root) / file_name


def read_state_dict(path):
    """The tensors of a TorchScript archive (the published form) or of a saved state dict, on the CPU.

    No code from the file is run: archives are read by TorchScript's own interpreter, state dicts with
    ``weights_only``. A state dict may be nested under ``state_dict`` and have the prefix ``module.``.

    Args:
        path: an existing file.

    Returns:
        Dict from name to tensor, in the file's precision.

    Raises:
        WorkError: the file cannot be read as either. The message names it.
    """
    try:
        content = _read_archive(path) if _is_archive(path) else torch.load(path, "cpu", weights_only=True)
    except OSError as error:
        raise WorkError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # foreign and damaged bytes raise whatever the readers stumble over
        raise WorkError(
            f"{path} cannot be read as weights: it is damaged, incomplete, or neither a TorchScript archive "
            "nor a state dict of tensors"
        ) from error
    if isinstance(content, dict) and "state_dict" in content:
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise WorkError(f"{path} holds no state dict")
    if all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
    for key, value in content.items():
        if not isinstance(value, torch.Tensor) and key not in DESCRIPTION_KEYS:
            raise WorkError(f"{path} holds no state dict: {key} is not a tensor")
    return content


def _is_archive(path):
    """Whether a file is a TorchScript archive, which keeps code and constants beside its tensors."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        members = {name.partition("/")[2] for name in archive.namelist()}
    return "constants.pkl" in members and any(name.startswith("code/") for name in members)


def _read_archive(path):
    with warnings.catch_warnings():
        # The published files have this form, whatever PyTorch recommends for new ones.
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.load` is deprecated")
        return torch.jit.load(str(path), map_location="cpu").state_dict()
