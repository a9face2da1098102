"""Tokens against the reference implementation's, and where the vocabulary comes from."""

import hashlib
import importlib.util
import json
import shutil

import numpy as np
import pytest
import torch

from clip import tokenize, tokenizer
from clip.tokenizer import BytePairEncoder, find_vocabulary, missing_vocabulary
from util.errors import WorkError

FIND_SPEC = importlib.util.find_spec
VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"


@pytest.fixture
def reference(golden):
    return json.loads((golden / "tokenizer_goldens.json").read_text(encoding="utf-8"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder; a download fails the test, as does a vocabulary from outside."""
    folder = tmp_path / "cache"
    folder.mkdir()

    def no_download(url, sha256, target):
        raise AssertionError(f"downloads {url}")

    monkeypatch.setenv("CLIP_CACHE", str(folder))
    monkeypatch.setattr(tokenizer, "fetch", no_download)
    monkeypatch.setattr(tokenizer.importlib.util, "find_spec", lambda name: None)
    return folder


@pytest.fixture
def vocabulary(cache, shared):
    """The vocabulary, in the cache folder."""
    return shutil.copyfile(shared(VOCABULARY), cache / VOCABULARY)


def test_all_golden_texts(reference, vocabulary):
    encoder = BytePairEncoder(vocabulary)
    for row in reference["rows"]:
        assert encoder.encode(row["text"]) == row["encode"], row["text"]
        assert tokenize(row["text"], truncate=True).tolist() == [row["tokenize_truncate"]], row["text"]
        if "tokenize_default" in row:
            assert tokenize(row["text"]).tolist() == [row["tokenize_default"]], row["text"]
        else:
            with pytest.raises(WorkError, match="has 202 tokens, more than 77"):
                tokenize(row["text"])


def test_vocabulary_is_complete(reference, vocabulary):
    facts = reference["facts"]
    encoder = BytePairEncoder(vocabulary)
    assert len(encoder.ids) == facts["vocab_size"]
    assert sorted(encoder.ids.values()) == list(range(facts["vocab_size"]))
    assert len(encoder.ranks) == facts["n_merges"]
    assert [encoder.ids["<|startoftext|>"], encoder.ids["<|endoftext|>"]] == [facts["sot"], facts["eot"]]
    assert [encoder.ids["in"], encoder.ids["th"]] == [512, 513]


@pytest.mark.parametrize(("context_length", "truncate"), [(8, False), (4, True), (2, True), (1, True)])
def test_context_length(reference, vocabulary, context_length, truncate):
    expected = {
        8: reference["misc"]["context_length_8: 'a photo of a dog'"],
        4: reference["misc"]["context_length_4 truncate: 'a photo of a dog'"],
        2: reference["misc"]["context_length_2 truncate"],
        1: reference["misc"]["context_length_1 truncate"],
    }[context_length]
    assert tokenize("a photo of a dog", context_length, truncate).tolist() == [expected]


def test_entities_are_resolved_twice_beside_a_tag(vocabulary):
    encoder = BytePairEncoder(vocabulary)
    assert encoder.encode("<i> a &amp;amp; b") == encoder.encode("<i> a & b")  # ftfy alone leaves these


def test_half_a_character(reference, vocabulary):
    assert tokenize("\ud800 x").tolist() == [reference["misc"]["lone_surrogate"]]


def test_default_prompts_are_what_the_encoder_gives(vocabulary):
    encoder = BytePairEncoder(vocabulary)
    assert set(tokenizer.PROMPT_TOKENS) == {"low light image", "high light image"}
    for prompt, ids in tokenizer.PROMPT_TOKENS.items():
        assert encoder.encode(prompt) == ids


def test_default_prompts_need_no_vocabulary(cache, golden):
    with np.load(golden / "golden_a2_resnet_t128.npz") as arrays:
        expected = torch.from_numpy(arrays["tokens"][:2])
    tokens = tokenize(["low light image", "high light image"])
    assert tokens.dtype == torch.int32
    assert torch.equal(tokens, expected)


def test_another_prompt_does_need_it(cache):
    with pytest.raises(AssertionError, match="downloads https://github"):
        tokenize(["low light image", "a dark photo"])


def test_forms_of_input(cache):
    prompts = ("high light image", "low light image")
    assert tokenize([]).shape == (0, 77)
    assert tokenize(prompts[0]).shape == (1, 77)
    assert torch.equal(tokenize(prompts), tokenize(list(prompts)))
    with pytest.raises(WorkError, match="'high light image' has 5 tokens, more than 4"):
        tokenize(prompts, context_length=4)
    assert tokenize(prompts, context_length=4, truncate=True)[0].tolist() == [49406, 1400, 1395, 49407]


@pytest.mark.parametrize("texts", [None, 3, b"low light image", ["low light image", 3]])
def test_other_types_are_refused(cache, texts):
    with pytest.raises(TypeError, match="string"):
        tokenize(texts)


class TestFindVocabulary:
    """With a small file in the vocabulary's place: only its name and checksum matter."""

    CONTENT = b"merges"

    @pytest.fixture(autouse=True)
    def small_vocabulary(self, monkeypatch):
        monkeypatch.setattr(tokenizer, "VOCABULARY_SHA256", hashlib.sha256(self.CONTENT).hexdigest())

    def put(self, folder, content=CONTENT):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / VOCABULARY
        path.write_bytes(content)
        return path

    def test_given_folder_before_cache(self, cache, tmp_path):
        in_cache = self.put(cache)
        assert find_vocabulary(tmp_path) == in_cache
        beside = self.put(tmp_path)
        assert find_vocabulary(tmp_path) == beside
        assert find_vocabulary() == in_cache

    def test_installed_package_is_searched_and_not_imported(self, cache, tmp_path, monkeypatch):
        monkeypatch.setattr(tokenizer.importlib.util, "find_spec", FIND_SPEC)
        package = tmp_path / "site" / "open_clip"
        shipped = self.put(package)
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
        monkeypatch.syspath_prepend(package.parent)
        assert find_vocabulary() == shipped

    def test_other_content_is_not_taken(self, cache, monkeypatch):
        self.put(cache, b"something else")
        fetched = []
        monkeypatch.setattr(tokenizer, "fetch", lambda *arguments: fetched.append(arguments))
        find_vocabulary()
        assert fetched == [(tokenizer.VOCABULARY_URL, tokenizer.VOCABULARY_SHA256, cache / VOCABULARY)]

    def test_what_would_be_downloaded(self, cache, tmp_path):
        weights = tmp_path / "RN50.pt"
        weights.touch()
        assert missing_vocabulary(["low light image"], weights) == {}
        assert missing_vocabulary(["low light image", "night"]) == {cache / VOCABULARY: tokenizer.VOCABULARY_URL}
        assert missing_vocabulary(["night"], weights) == {tmp_path / VOCABULARY: tokenizer.VOCABULARY_URL}
        self.put(tmp_path)
        assert missing_vocabulary(["night"], weights) == {}
        assert missing_vocabulary(["night"]) != {}
