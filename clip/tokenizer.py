"""Texts to CLIP's tokens, by byte-pair encoding (Sennrich et al., 2016) over UTF-8 bytes."""

import functools
import gzip
import html
import importlib.util
from itertools import pairwise
from pathlib import Path

import torch

from clip.download import cache_folder, fetch, is_complete
from util.errors import WorkError

VOCABULARY_NAME = "bpe_simple_vocab_16e6.txt.gz"
VOCABULARY_URL = f"https://github.com/openai/CLIP/raw/main/clip/{VOCABULARY_NAME}"
VOCABULARY_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
VOCABULARY_SIZE = 49408

START = "<|startoftext|>"
END = "<|endoftext|>"
START_ID = VOCABULARY_SIZE - 2
END_ID = VOCABULARY_SIZE - 1

# The default prompts, so that training with them needs no vocabulary.
PROMPT_TOKENS = {
    "low light image": [1042, 1395, 2867],
    "high light image": [1400, 1395, 2867],
}

# A word is a special token, an English contraction's ending, letters, one digit, or other signs.
WORD = r"<\|(?:start|end)oftext\|>|'(?:s|t|re|ve|m|ll|d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"


def tokenize(texts, context_length=77, truncate=False, *, download_root=None):
    """Token ids of one or more texts, as CLIP's text encoder takes them.

    The default prompts' tokens are known. For other texts the vocabulary is looked for: in ``download_root``, the
    cache folder, an installed open_clip package, and at its public address.

    Args:
        texts: a string, or a list or tuple of N strings.
        context_length: number of tokens in every row, start and end included.
        truncate: cut a text that is too long, and end it there, instead of raising an error.
        download_root: a folder into which the vocabulary is downloaded, or a file, such as the weights, beside which
            it is put; by default the cache folder.

    Returns:
        (N, context_length) of int32: start, text, end, zeros.

    Raises:
        TypeError: a text is not a string.
        WorkError: a text is too long, or the vocabulary can be neither found nor downloaded.
    """
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise TypeError("texts must be a string or a list of strings")
    if all(text in PROMPT_TOKENS for text in texts):
        encode = PROMPT_TOKENS.get
    else:
        encode = _encoder(find_vocabulary(download_root)).encode
    tokens = torch.zeros(len(texts), context_length, dtype=torch.int32)  # (N, context_length)
    for row, text in zip(tokens, texts, strict=True):
        ids = [START_ID, *encode(text), END_ID]
        if len(ids) > context_length:
            if not truncate:
                raise WorkError(f"the text {text!r} has {len(ids)} tokens, more than {context_length}")
            ids = [*ids[: context_length - 1], END_ID]
        row[: len(ids)] = torch.tensor(ids)
    return tokens


def find_vocabulary(download_root=None):
    """Path of the vocabulary, downloaded if it is nowhere with the right checksum; WorkError if that fails."""
    found = _vocabulary_on_disk(download_root)
    return found or fetch(VOCABULARY_URL, VOCABULARY_SHA256, cache_folder(download_root) / VOCABULARY_NAME)


def missing_vocabulary(texts, download_root=None):
    """What ``tokenize`` would download for a list of texts: {path: address}, empty where nothing is missing."""
    if all(text in PROMPT_TOKENS for text in texts) or _vocabulary_on_disk(download_root):
        return {}
    return {cache_folder(download_root) / VOCABULARY_NAME: VOCABULARY_URL}


def _vocabulary_on_disk(download_root):
    package = importlib.util.find_spec("open_clip")  # found, not imported
    installed = package.submodule_search_locations or () if package else ()
    paths = [Path(folder) / VOCABULARY_NAME for folder in (cache_folder(download_root), cache_folder(), *installed)]
    return next((path for path in paths if is_complete(path, VOCABULARY_SHA256)), None)


@functools.lru_cache(maxsize=1)
def _encoder(vocabulary):
    return BytePairEncoder(vocabulary)


def _byte_symbols():
    """One printable character for every byte, in the order of the vocabulary.

    Returns:
        Dict from byte to character: bytes that Latin-1 prints stand for themselves and come first; the others
        borrow the characters from U+0100 on.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = {byte: chr(byte) for byte in printable}
    symbols.update({byte: chr(256 + position) for position, byte in enumerate(others)})
    return symbols


class BytePairEncoder:
    """Splits text into words and words into pieces by merging the most frequent pairs.

    Args:
        vocabulary: path of the gzipped list of merges: a header, then one pair of pieces a line, most frequent
            first. A piece that ends a word carries the mark ``</w>``.
    """

    def __init__(self, vocabulary):
        # Imported where they are used: the default prompts need neither.
        import ftfy
        import regex

        self.repaired = ftfy.fix_text
        self.words = regex.compile(WORD, regex.IGNORECASE).findall
        self.symbols = _byte_symbols()
        pieces = [*self.symbols.values(), *(symbol + "</w>" for symbol in self.symbols.values())]
        merges = VOCABULARY_SIZE - len(pieces) - 2
        with gzip.open(vocabulary, "rt", encoding="utf-8") as file:
            pairs = [tuple(line.split()) for line in file][1 : merges + 1]
        self.ranks = {pair: rank for rank, pair in enumerate(pairs)}
        pieces += ["".join(pair) for pair in pairs]
        self.ids = {piece: position for position, piece in enumerate([*pieces, START, END])}

    def encode(self, text):
        """Token ids of a text, without start and end. Mojibake and HTML entities are repaired; case is dropped."""
        text = html.unescape(html.unescape(self.repaired(text)))
        text = " ".join(text.split()).lower()
        return [self.ids[piece] for word in self.words(text) for piece in self._pieces(word)]

    def _pieces(self, word):
        if word in (START, END):
            return [word]
        pieces = [self.symbols[byte] for byte in word.encode("utf-8")]
        pieces[-1] += "</w>"
        while len(pieces) > 1:
            pair = min(pairwise(pieces), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if pair not in self.ranks:
                break
            pieces = self._merge(pieces, pair)
        return pieces

    @staticmethod
    def _merge(pieces, pair):
        """The pieces with every occurrence of the pair joined, from left to right."""
        merged = []
        position = 0
        while position < len(pieces):
            if tuple(pieces[position : position + 2]) == pair:
                merged.append("".join(pair))
                position += 2
            else:
                merged.append(pieces[position])
                position += 1
        return merged
