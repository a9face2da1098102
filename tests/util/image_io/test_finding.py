"""Images in a folder: which are found, and what their results are called."""

import os

import pytest

from util.errors import WorkError
from util.image_io.finding import JOURNAL, find_images, look_through, output_names


def test_finding_images(tmp_path):
    for name in ("b.PNG", "sub/a.jpeg", "a.TIF", "notes.txt", ".hidden.png", ".cache/x.png", "c.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [str(p.relative_to(tmp_path)) for p in find_images(tmp_path)] == ["a.TIF", "b.PNG", "c.webp", "sub/a.jpeg"]


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def found(folder, **flags):
    return [str(path.relative_to(folder)) for path in find_images(folder, **flags)]


def test_links_are_followed_once(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    for path in (root / "sub" / "a.png", other / "deep" / "b.png", other / ".hidden" / "c.png"):
        path.parent.mkdir(parents=True)
        path.touch()
    link(root / "again", root / "sub")  # has its own path, too: that one counts
    link(root / "sub" / "up", root)
    link(root / "sub" / "round", root / "sub" / "round")
    link(root / "far", other)
    link(root / "far2", other / "deep")
    link(other / "back", root)
    link(root / "file.png", root / "sub" / "a.png")
    link(root / "broken.png", root / "nothing.png")
    link(root / "itself.png", root / "itself.png")
    assert found(root) == ["far/deep/b.png", "file.png", "sub/a.png"]


def test_a_folder_can_be_left_out(tmp_path):
    for name in ("a.png", "results/LSRW/b.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    link(tmp_path / "linked", tmp_path / "results")
    assert found(tmp_path, without={tmp_path / "sub" / ".." / "results": "results"}) == ["a.png", "sub/c.png"]
    assert found(tmp_path, without={tmp_path / "nowhere": "results"}) == ["a.png", "results/LSRW/b.png", "sub/c.png"]
    assert found(tmp_path, without={tmp_path / "a.png": "a file"}) == ["results/LSRW/b.png", "sub/c.png"]
    assert found(tmp_path / "results", without={tmp_path / "results": "results"}) == ["LSRW/b.png"]
    assert found(tmp_path / "results" / "LSRW", without={tmp_path / "results": "results"}) == ["b.png"]


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_what_is_left_out_is_told(tmp_path):
    touch(tmp_path, "a.png", "b.txt", "sub/c.TXT", "d.xyz", "e", ".f.png", ".DS_Store", ".cache/g.png", "h/i.png")
    os.mkfifo(tmp_path / "j.png")
    (tmp_path / "k.png").symlink_to(tmp_path / "k.png")
    found = look_through(tmp_path, {tmp_path / "h": "the references", tmp_path / "nowhere": "nothing"})
    assert found.notices() == [
        f"left out of {tmp_path}: the references, {tmp_path / 'h'}",
        f"left out of {tmp_path}: 2 .png (not a file), 2 .txt, 1 .xyz, 1 hidden, 1 without extension",
    ]
    touch(tmp_path, *(f"x.{letter}" for letter in "abcdefg"))
    told = "2 .png (not a file), 2 .txt, 1 .a, 1 .b, 1 .c, 1 .d, 1 .e, 1 .f, files of 4 more kinds"
    assert look_through(tmp_path).notices() == [f"left out of {tmp_path}: {told}"]
    assert look_through(tmp_path / "h").notices() == []


def test_results_of_any_run_are_left_out(tmp_path):
    touch(tmp_path, "a.png", f"r/x/{JOURNAL}", "r/x/images/b.png", f"r/y/{JOURNAL}", "r/y/images/c.png")
    touch(tmp_path, "images/d.png", f"z/{JOURNAL}", "z/e.png")  # one of the two alone says nothing
    assert found(tmp_path) == ["a.png", "images/d.png", "z/e.png"]
    assert look_through(tmp_path).notices()[0] == (
        f"left out of {tmp_path}: results of test.py, {tmp_path / 'r' / 'x'} and 1 more"
    )
    assert found(tmp_path / "r" / "x") == ["images/b.png"]
    with pytest.raises(WorkError, match=r"no images in this folder .*; left out of .*/r: results of test.py, .*/r/x"):
        find_images(tmp_path / "r")


def test_an_unreadable_subfolder_is_named(tmp_path, monkeypatch):
    for name in ("a.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(WorkError, match=r"sub: cannot read this folder \(Permission denied\)"):
        find_images(tmp_path)


def test_no_folder_and_no_images(tmp_path):
    with pytest.raises(WorkError, match="no such folder"):
        find_images(tmp_path / "missing")
    with pytest.raises(WorkError, match="no images"):
        find_images(tmp_path)


@pytest.mark.parametrize(
    "files, names",
    [
        (["x.png"], ["x"]),
        (["a/x.png", "b/x.png", "x.jpg"], ["a_x", "b_x", "x"]),
        (["x.png", "x.jpg"], ["x_png", "x_jpg"]),
        (["X.png", "x.jpg"], ["X_png", "x_jpg"]),
        (["a/y.png", "x.png"], ["y", "x"]),
    ],
)
def test_output_names(tmp_path, files, names):
    assert output_names([tmp_path / file for file in files], tmp_path) == names


def test_output_names_never_meet(tmp_path):
    files = [
        "a/x.png",
        "a_x.png",
        "a/x.jpg",
        "a_x_png.png",
        "a/x_png.png",
        "b/A_X.png",
        "a_x_1.png",
        "A_x.PNG",
        "x.png",
    ]
    names = output_names([tmp_path / file for file in files], tmp_path)
    assert len({name.casefold() for name in names}) == len(files)
    assert not any("/" in name for name in names)


def test_long_names_are_cut(tmp_path):
    same = "x" * 230
    files = ["a" * 200, "a" * 201, "\N{GRINNING FACE}" * 60, f"{same}1", f"{same}2", "\udcff" * 240]
    files += [f"{'d' * 150}/{'e' * 150}", f"{'f' * 150}/{'e' * 150}"]
    names = output_names([tmp_path / f"{file}.png" for file in files], tmp_path)
    assert names[0] == files[0] and names[1].startswith("a" * 190) and names[2].startswith(files[2][:40])
    assert len(set(names)) == len(files)
    assert all(len(os.fsencode(f"{name}_fake_B_preview.webp")) <= 255 for name in names)
    assert names == output_names([tmp_path / f"{file}.png" for file in files], tmp_path)


def test_one_letter_in_two_ways_is_one_name(tmp_path):
    names = output_names([tmp_path / "caf\u00e9.png", tmp_path / "cafe\u0301.jpg"], tmp_path)
    assert [name.split("_")[-1] for name in names] == ["png", "jpg"]
