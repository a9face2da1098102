"""Files of weights: where they come from, the forms that are read, and what bad ones lead to."""

import hashlib
import os
import pickle
import re
import shutil
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from clip import available_models, load, weights
from clip.weights import read_state_dict
from stub_clip import save_archive
from util.errors import WorkError

# The tensors that have half precision in the published files.
HALVED = re.compile(
    r"(conv\d|downsample\.0|c_fc|c_proj|out_proj|[qkv]_proj)\.(weight|bias)$|in_proj_|text_projection|visual\.proj$"
)


def published(state_dict):
    """With the published files' precisions and additional entries."""
    tensors = {key: value.half() if HALVED.search(key) else value for key, value in state_dict.items()}
    return {**tensors, "input_resolution": torch.tensor(64), "context_length": 8, "vocab_size": torch.tensor(50)}


def forms(state_dict):
    return {
        "plain": lambda path: torch.save(state_dict, path),
        "old": lambda path: torch.save(state_dict, path, _use_new_zipfile_serialization=False),
        "nested": lambda path: torch.save({"epoch": 3, "state_dict": state_dict}, path),
        "parallel": lambda path: torch.save({f"module.{key}": value for key, value in state_dict.items()}, path),
        "archive": lambda path: save_archive(state_dict, path),
    }


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("form", ["plain", "old", "nested", "parallel", "archive"])
def test_every_form_gives_the_same_features(small_clip, small_inputs, tmp_path, form, precision):
    state_dict = small_clip.state_dict()
    if precision == "float16":
        state_dict = published(state_dict)
        small_clip.load_state_dict({key: state_dict[key] for key in small_clip.state_dict()})
    forms(state_dict)[form](tmp_path / "small.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, _ = load(tmp_path / "small.pt", device="cpu")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    with torch.no_grad():
        for loaded, origin in zip(model(*small_inputs), small_clip(*small_inputs), strict=True):
            assert torch.equal(loaded, origin)


def test_half_precision_files_differ(small_clip):
    """So that the float16 cases above are more than the float32 ones again."""
    state_dict = published(small_clip.state_dict())
    assert state_dict["text_projection"].dtype == torch.float16
    assert not torch.equal(state_dict["text_projection"].float(), small_clip.text_projection)


def test_preprocess_has_the_models_resolution(small_clip, tmp_path):
    torch.save(small_clip.state_dict(), tmp_path / "small.pt")
    _, preprocess = load(tmp_path / "small.pt", device="cpu")
    assert preprocess(Image.new("RGB", (100, 80))).shape == (3, 64, 64)


class RunsACommand:
    """Its pickle creates a file when it is loaded."""

    def __init__(self, path):
        self.command = f"touch '{path}'"

    def __reduce__(self):
        return os.system, (self.command,)


def truncated(path, state_dict):
    torch.save(state_dict, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def truncated_archive(path, state_dict):
    save_archive(state_dict, path)
    path.write_bytes(path.read_bytes()[:-100])


def archive_of_nothing(path, state_dict):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("small/constants.pkl", b"")
        archive.writestr("small/code/__torch__.py", b"")


def zip_of_text(path, state_dict):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "weights")


def another_network(path, state_dict):
    torch.save(nn.Linear(3, 4).state_dict(), path)


def another_archive(path, state_dict):
    save_archive(nn.Linear(3, 4).state_dict(), path)


def missing_key(path, state_dict):
    torch.save({key: value for key, value in state_dict.items() if key != "ln_final.bias"}, path)


def wrong_shape(path, state_dict):
    torch.save({**state_dict, "ln_final.bias": torch.zeros(65)}, path)


BAD_FILES = [
    (truncated, "cannot be read"),
    (truncated_archive, "cannot be read"),
    (archive_of_nothing, "cannot be read"),
    (zip_of_text, "cannot be read"),
    (lambda path, _: path.write_text("<html>404 not found</html>"), "cannot be read"),
    (lambda path, _: path.write_bytes(b""), "cannot be read"),
    (lambda path, _: path.write_bytes(pickle.dumps({"a": 1}, protocol=2)), "cannot be read"),
    (lambda path, state_dict: torch.save([*state_dict.values()], path), "no state dict"),
    (lambda path, state_dict: torch.save({"model": state_dict}, path), "model is not a tensor"),
    (lambda path, state_dict: torch.save({"state_dict": 3}, path), "no state dict"),
    (lambda path, state_dict: torch.save({0: torch.zeros(2)}, path), "no state dict"),
    (lambda path, _: torch.save({}, path), "neither visual.proj nor"),
    (another_network, "neither visual.proj nor"),
    (another_archive, "neither visual.proj nor"),
    (missing_key, "ln_final.bias is missing"),
    (wrong_shape, "ln_final.bias has the shape"),
]


@pytest.mark.parametrize(("write", "message"), BAD_FILES)
def test_bad_files_are_named_in_one_line(small_clip, tmp_path, write, message):
    path = tmp_path / "small weights.pt"
    write(path, small_clip.state_dict())
    with pytest.raises(WorkError, match=message) as caught:
        load(path, device="cpu")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("new_form", [True, False])
def test_pickled_code_is_not_run(tmp_path, new_form):
    path, proof = tmp_path / "bad.pt", tmp_path / "proof"
    content = {"weight": torch.zeros(1), "payload": RunsACommand(proof)}
    torch.save(content, path, _use_new_zipfile_serialization=new_form)
    with pytest.raises(WorkError, match=re.escape(str(path))):
        load(path, device="cpu")
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.exists(), "the payload would not have run anyway"


def test_pickled_code_in_an_archive_is_not_run(small_clip, tmp_path):
    good, bad, proof = tmp_path / "good.pt", tmp_path / "bad.pt", tmp_path / "proof"
    save_archive(small_clip.state_dict(), good)
    payload = pickle.dumps(RunsACommand(proof), protocol=2)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as copy:
        for name in source.namelist():
            copy.writestr(name, payload if name.endswith(("/data.pkl", "/constants.pkl")) else source.read(name))
    with pytest.raises(WorkError, match=re.escape(str(bad))):
        load(bad, device="cpu")
    assert not proof.exists()
    pickle.loads(payload)
    assert proof.exists(), "the payload would not have run anyway"


def test_error_of_the_operating_system(tmp_path):
    with pytest.raises(WorkError, match=re.escape(f"{tmp_path} cannot be read: Is a directory")):
        read_state_dict(tmp_path)


def test_names_and_checksums():
    assert available_models() == [
        "RN50",
        "RN101",
        "RN50x4",
        "RN50x16",
        "RN50x64",
        "ViT-B/32",
        "ViT-B/16",
        "ViT-L/14",
        "ViT-L/14@336px",
    ]
    for name, place in weights.MODELS.items():
        sha256, file_name = place.split("/")
        assert re.fullmatch("[0-9a-f]{64}", sha256)
        assert file_name == name.replace("/", "-").replace("@", "-") + ".pt"
    assert len({place.split("/")[0] for place in weights.MODELS.values()}) == 9


@pytest.mark.parametrize("name", ["RN51", "ViT-B-32", "rn50", "missing/file.pt", "."])
def test_unknown_names(name):
    with pytest.raises(WorkError, match=re.escape(name)) as caught:
        load(name, device="cpu")
    assert "ViT-L/14@336px" in str(caught.value)


class TestPlaces:
    """A small model in the place of RN50; its server is a folder."""

    @pytest.fixture
    def published_file(self, small_clip, tmp_path, monkeypatch):
        path = tmp_path / "published.pt"
        torch.save(small_clip.state_dict(), path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        folder = tmp_path / "server" / sha256
        folder.mkdir(parents=True)
        shutil.copyfile(path, folder / "RN50.pt")
        monkeypatch.setattr(weights, "PUBLISHED", folder.parent.as_uri())
        monkeypatch.setitem(weights.MODELS, "RN50", f"{sha256}/RN50.pt")
        monkeypatch.setenv("CLIP_CACHE", str(tmp_path / "cache"))
        return path

    def test_download_root(self, published_file, tmp_path):
        load("RN50", device="cpu", download_root=tmp_path / "root")
        assert (tmp_path / "root" / "RN50.pt").read_bytes() == published_file.read_bytes()
        assert not (tmp_path / "cache").exists()

    def test_cache_is_used_before_the_network(self, published_file, tmp_path, monkeypatch):
        file = tmp_path / "cache" / "RN50.pt"
        assert weights.missing_weights("RN50") == {file: f"{weights.PUBLISHED}/{weights.MODELS['RN50']}"}
        load("RN50", device="cpu")
        assert file.is_file() and weights.missing_weights("RN50") == {}
        monkeypatch.setattr(weights, "PUBLISHED", (tmp_path / "gone").as_uri())
        model, _ = load("RN50", device="cpu")
        assert model.input_resolution == 64

    def test_file_before_the_cache(self, published_file, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        published_file.rename("RN50")
        monkeypatch.setattr(weights, "PUBLISHED", (tmp_path / "gone").as_uri())
        load("RN50", device="cpu")
        assert not (tmp_path / "cache").exists()

    def test_home_is_expanded(self, published_file, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        model, _ = load(str(Path("~") / published_file.name), device="cpu")
        assert model.input_resolution == 64

    def test_nowhere(self, published_file, tmp_path, monkeypatch):
        monkeypatch.setattr(weights, "PUBLISHED", (tmp_path / "gone").as_uri())
        with pytest.raises(WorkError) as caught:
            load("RN50", device="cpu")
        for part in ((tmp_path / "gone").as_uri(), weights.MODELS["RN50"].split("/")[0], str(tmp_path / "cache")):
            assert part in str(caught.value)
