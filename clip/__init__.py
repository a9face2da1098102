"""CLIP (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021).

An own implementation that reads the published weights. Importing it loads, downloads and chooses nothing.
"""

from clip.build import build_model
from clip.model import CLIP
from clip.preprocess import CLIP_MEAN, CLIP_STD, preprocess_tensor
from clip.tokenizer import tokenize
from clip.weights import available_models, load

__all__ = [
    "CLIP",
    "CLIP_MEAN",
    "CLIP_STD",
    "available_models",
    "build_model",
    "load",
    "preprocess_tensor",
    "tokenize",
]
