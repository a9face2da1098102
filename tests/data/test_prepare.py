"""Published archives become trainA, trainB, testA and testB, without what overlaps with the evaluation set."""

import io
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from data import prepare as module
from data.prepare import prepare
from sample_images import photograph
from util.errors import WorkError

FOLDERS = ("trainA", "trainB", "testA", "testB")


def encoded(name, brightness=1.0, kind="PNG"):
    contents = io.BytesIO()
    photograph((60, 40), name, brightness).save(contents, kind)
    return contents.getvalue()


def pair(low, high, name, kind="PNG", brightness=1.0):
    """A pair of files of a photograph, {path: contents}."""
    return {low: encoded(name, 0.15 * brightness, kind), high: encoded(name, brightness, kind)}


def lol():
    """Two pairs of other scenes for training, one of the scene that is measured on, one of the very image."""
    files = {"LOLdataset/.DS_Store": b"", "__MACOSX/LOLdataset/our485/low/._1.png": b"", "LOLdataset/readme.txt": b""}
    for number, name, brightness in (
        ("1", "coffee", 1),
        ("2", "rocket", 1),
        ("3", "chelsea", 0.8),
        ("4", "chelsea", 1),
    ):
        low, high = (f"LOLdataset/our485/{light}/{number}.png" for light in ("low", "high"))
        files |= pair(low, high, name, brightness=brightness)
    files |= pair("LOLdataset/eval15/low/9.png", "LOLdataset/eval15/high/9.png", "chelsea")
    return files | {"LOLdataset/our485/low/5.png": encoded("coffee")}  # its partner is missing


def archive(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, contents in files.items():
            zipped.writestr(name, contents)
    return path


def names(folder):
    return {each: sorted(path.name for path in (folder / each).iterdir()) for each in FOLDERS}


def test_lol(tmp_path):
    files, to = lol(), tmp_path / "dataset"
    to.mkdir()
    (to / "README.md").write_text("stays")
    lines = prepare("lol", [archive(tmp_path / "LOLdataset.zip", files)], to)
    both = ["1.png", "2.png"]
    assert names(to) == {"trainA": both, "trainB": both, "testA": ["9.png"], "testB": ["9.png"]}
    assert (to / "trainB" / "1.png").read_bytes() == files["LOLdataset/our485/high/1.png"]
    assert sorted(path.name for path in to.iterdir()) == ["README.md", *sorted(FOLDERS)]
    assert lines == [
        *(f"{to / folder}: {count} images" for folder, count in zip(FOLDERS, (2, 2, 1, 1), strict=True)),
        "left out of training: 1 pairs with an image of the evaluation set",
        "left out of training: 1 pairs of scenes that the evaluation set shows, too",
        "left out: 1 images without the other of their pair",
        "not compared: LOL v2's real test set shows some of these scenes; name it with --evaluation",
    ]


def test_scenes_are_kept_on_request(tmp_path):
    lines = prepare("lol", [archive(tmp_path / "a.zip", lol())], tmp_path / "to", keep_scenes=True)
    assert names(tmp_path / "to")["trainA"] == ["1.png", "2.png", "3.png"]
    assert "kept in training: 1 pairs of scenes that the evaluation set shows, too" in lines


def test_lol_v2_against_another_evaluation_set(tmp_path):
    files = {}
    for split, number, name in (("Train", "1", "coffee"), ("Train", "2", "rocket"), ("Test", "690", "chelsea")):
        low, high = (
            f"LOL-v2/Real_captured/{split}/{light.capitalize()}/{light}00{number}.png" for light in ("low", "normal")
        )
        files |= pair(low, high, name)
    files |= pair("LOL-v2/Synthetic/Train/Low/r1.png", "LOL-v2/Synthetic/Train/Normal/r1.png", "coffee")
    (tmp_path / "eval15").mkdir()
    photograph((90, 60), "rocket", 0.9).save(tmp_path / "eval15" / "1.png")
    lines = prepare("lolv2", [archive(tmp_path / "a.zip", files)], tmp_path / "to", [tmp_path / "eval15"])
    found = names(tmp_path / "to")
    assert found["trainA"] == found["trainB"] == ["001.png"] and found["testA"] == found["testB"] == ["00690.png"]
    assert lines[-1] == "left out of training: 1 pairs of scenes that the evaluation set shows, too"


def test_lsrw_in_two_parts_of_which_one_was_unpacked(tmp_path):
    evaluated = pair("Eval/Huawei/low/1.jpg", "Eval/Huawei/high/1.jpg", "chelsea", "JPEG")
    training = {}
    for camera, name in (("Huawei", "coffee"), ("Nikon", "rocket")):
        folder = f"Training data/{camera}"
        training |= pair(f"{folder}/low/1.jpg", f"{folder}/high/1.jpg", name, "JPEG")
    for name, contents in training.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(contents)
    prepare("lsrw", [tmp_path / "Training data", archive(tmp_path / "Eval.zip", evaluated)], tmp_path / "to")
    found = names(tmp_path / "to")
    assert found["trainA"] == found["trainB"] == ["Huawei_1.jpg", "Nikon_1.jpg"]
    assert found["testA"] == found["testB"] == ["Huawei_1.jpg"]


def without_evaluation(path):
    archive(path, {name: contents for name, contents in lol().items() if "eval15" not in name})


def escaping(path):
    archive(path, {**lol(), "LOLdataset/../../our485/low/6.png": b""})


def absolute(path):
    archive(path, {**lol(), "/our485/low/6.png": b""})


def swollen(path):
    archive(path, {**lol(), "LOLdataset/our485/low/1.png": bytes(2**26 + 1)})


def no_image(path):
    archive(path, {**lol(), "LOLdataset/our485/high/1.png": b"text"})


def damaged(path):
    archive(path, lol())
    contents = bytearray(path.read_bytes())
    place = contents.index(b"our485/low/1.png") + 60
    contents[place] ^= 255
    path.write_bytes(contents)


def cut(path):
    archive(path, lol())
    path.write_bytes(path.read_bytes()[:5000])


SPOILT = [
    (without_evaluation, "no pairs for evaluation as lol has them"),
    (escaping, "would leave the folder"),
    (absolute, "would leave the folder"),
    (swollen, "low/1.png: is 64 MiB large"),
    (no_image, "high/1.png: cannot be read as an image"),
    (damaged, "low/1.png: (damaged|cannot be read)"),
    (cut, "is no zip archive, or damaged"),
]


@pytest.mark.parametrize("spoil, told", SPOILT, ids=[spoil.__name__ for spoil, _ in SPOILT])
def test_what_is_no_such_archive_leaves_nothing(tmp_path, spoil, told):
    spoil(tmp_path / "a.zip")
    with pytest.raises(WorkError, match=told):
        prepare("lol", [tmp_path / "a.zip"], tmp_path / "to")
    assert [path.name for path in tmp_path.rglob("*")] in (["a.zip"], ["a.zip", "to"], ["to", "a.zip"])


def test_an_interrupted_run_leaves_nothing_and_another_replaces_nothing(tmp_path, monkeypatch):
    source = archive(tmp_path / "a.zip", lol())

    def interrupt(image):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "scene", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare("lol", [source], tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []
    prepare("lol", [source], tmp_path / "to")
    (tmp_path / "to" / "trainA" / "1.png").write_text("mine")
    with pytest.raises(WorkError, match="trainA: is there already"):
        prepare("lol", [source], tmp_path / "to")
    assert (tmp_path / "to" / "trainA" / "1.png").read_text() == "mine"


def test_scenes_are_told_apart_whatever_their_exposure():
    bright, dark, other = (
        module.scene(photograph((60, 40), name, light))
        for name, light in (("coffee", 1), ("coffee", 0.1), ("rocket", 1))
    )
    assert bright @ dark > module.SAME_SCENE > 0.5 > abs(bright @ other)
    assert np.isfinite(module.scene(Image.new("RGB", (9, 9)))).all()


def test_the_command(tmp_path, monkeypatch, capsys):
    source, to = archive(tmp_path / "a.zip", lol()), tmp_path / "to"
    monkeypatch.setattr(sys, "argv", ["prepare", "lol", "--from", str(source), "--to", str(to)])
    assert module.main() == 0 and "trainA: 2 images" in capsys.readouterr().out
    assert module.main() == 1 and "is there already" in capsys.readouterr().err
