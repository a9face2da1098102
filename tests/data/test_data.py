"""Unpaired batches: what is drawn, in which order, and what goes wrong in one line."""

import os
import signal
import weakref
from collections import deque
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
import torch

from data import create_dataset
from options.test_options import TestOptions
from options.train_options import TrainOptions
from sample_images import levels, photograph, save_deep_png, training_folder
from util.errors import UsageError, WorkError
from util.image_io.tensors import to_image
from util.interruption import Interruption


def training_data(root, *flags):
    needed = ["--dataroot", str(root), "--name", "n", "--num_threads", "0", "--preprocess", "crop", "--crop_size", "24"]
    return create_dataset(TrainOptions().parse([*needed, *flags]))


def drawn(data, epoch, skip=0):
    data.start_epoch(epoch, skip)
    return [
        (path, tensor.sum().item()) for batch in data for path, tensor in zip(batch["A_paths"], batch["B"], strict=True)
    ]


def test_an_epoch_shows_every_low_light_image_once(tmp_path):
    training_folder(tmp_path, count=5)
    data = training_data(tmp_path)
    first, second = [[path for path, _ in drawn(data, epoch)] for epoch in (1, 2)]
    assert sorted(first) == sorted(second) == [str(path) for path in data.dataset.a_paths]
    assert first != second


def test_the_longer_folder_sets_the_length(tmp_path):
    training_folder(tmp_path, count=2)
    for i in range(3):
        photograph((40, 40)).save(tmp_path / "trainB" / f"more{i}.png")
    data = training_data(tmp_path)
    assert len(data) == 5
    assert [path for path, _ in drawn(data, 1)].count(str(data.dataset.a_paths[0])) in (2, 3)


def test_batches_do_not_depend_on_workers_or_on_what_came_before(tmp_path):
    training_folder(tmp_path, count=5)
    alone = drawn(training_data(tmp_path), 3)
    assert drawn(training_data(tmp_path, "--num_threads", "2"), 3) == alone
    assert drawn(training_data(tmp_path), 3, skip=2) == alone[2:]
    assert drawn(training_data(tmp_path, "--seed", "1"), 3) != alone


def test_serial_batches_go_in_order(tmp_path):
    training_folder(tmp_path)
    data = training_data(tmp_path, "--serial_batches", "--batch_size", "2")
    data.start_epoch(1)
    batches = list(data)
    assert [len(batch["A"]) for batch in batches] == [2, 1]
    for letter, paths in (("A", data.dataset.a_paths), ("B", data.dataset.b_paths)):
        assert [path for batch in batches for path in batch[f"{letter}_paths"]] == [str(path) for path in paths]


def test_tensors(tmp_path):
    training_folder(tmp_path)
    batch = next(iter(training_data(tmp_path)))
    assert batch["A"].shape == batch["B"].shape == (1, 3, 24, 24)
    assert batch["A"].dtype == torch.float32
    assert -1 <= batch["A"].min() < batch["A"].max() < -0.4 < batch["B"].max() <= 1


def test_b_takes_the_size_of_a(tmp_path):
    training_folder(tmp_path, count=1, size=(41, 33))
    photograph((90, 70), "chelsea").save(tmp_path / "trainB" / "chelsea0.png")
    batch = next(iter(training_data(tmp_path, "--preprocess", "none")))
    assert batch["A"].shape == batch["B"].shape == (1, 3, 32, 40)


def test_flips(tmp_path):
    training_folder(tmp_path, count=1, size=(24, 24))
    plain, mixed = training_data(tmp_path, "--no_flip"), training_data(tmp_path)
    seen = [next(iter(plain))["A"] for epoch in range(1, 20) if not plain.start_epoch(epoch)]
    assert all(torch.equal(x, seen[0]) for x in seen)
    seen = [next(iter(mixed))["A"] for epoch in range(1, 20) if not mixed.start_epoch(epoch)]
    flipped = sum(torch.equal(x, seen[0].flip(-1)) for x in seen)
    assert 3 < flipped < 16 and flipped + sum(torch.equal(x, seen[0]) for x in seen) == len(seen)


def test_direction_swaps_the_domains(tmp_path):
    training_folder(tmp_path)
    data = training_data(tmp_path, "--direction", "BtoA")
    assert data.dataset.a_paths[0].parent.name == "trainB"


@pytest.mark.parametrize("threads", ["0", "2"])
def test_an_unreadable_image_is_left_out(tmp_path, threads, capsys):
    training_folder(tmp_path, count=6)
    (tmp_path / "trainA" / "coffee1.png").write_text("text")
    flags = ["--num_threads", threads, "--serial_batches", "--no_flip"]
    data = training_data(tmp_path, *flags)
    found = [drawn(data, epoch) for epoch in (1, 2)]
    names = [path.rpartition("/")[2] for path, _ in found[0]]
    assert names == ["coffee0.png", "coffee2.png", *(f"coffee{i}.png" for i in range(2, 6))]
    assert data.problem is None
    (line,) = capsys.readouterr().err.splitlines()
    assert "coffee1.png: cannot read this image" in line and line.endswith("it is left out")
    data.tell_unreadable()
    assert capsys.readouterr().err == f"1 image left out, not readable: {tmp_path}/trainA/coffee1.png\n"
    # Nothing follows from what was met before: a run that goes on takes the same images.
    assert drawn(training_data(tmp_path, *flags), 2, skip=1) == found[1][1:]


def test_batches_without_some_images_do_not_depend_on_workers(tmp_path):
    training_folder(tmp_path, count=10)
    for path in ("trainB/chelsea3.png", "trainB/chelsea4.png"):
        (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:200])
    alone = [drawn(training_data(tmp_path), epoch) for epoch in (1, 2, 3)]
    together, batches = training_data(tmp_path, "--num_threads", "2"), training_data(tmp_path, "--batch_size", "4")
    assert [drawn(together, epoch) for epoch in (1, 2, 3)] == alone
    assert [drawn(batches, epoch) for epoch in (1, 2, 3)] == alone


def test_too_many_unreadable_images_end_training(tmp_path):
    training_folder(tmp_path, count=6)
    for i in range(2):
        (tmp_path / "trainB" / f"chelsea{i}.png").write_text("text")
    data = training_data(tmp_path, "--serial_batches")
    assert not list(data)  # two of them are met at once
    assert "2 of 12 images cannot be read" in str(data.problem) and "--dry_run" in str(data.problem)


@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_an_epoch_ends_where_a_signal_has_ended_the_workers(tmp_path, number):
    data = training_data(training_folder(tmp_path, count=9), "--num_threads", "1")
    data.interruption = Interruption()
    data.start_epoch(1)
    batches = iter(data)
    next(batches)
    data.interruption.note(signal.SIGCHLD, None)  # any signal will do; from now on no worker's end is told
    data.interruption.signal = number
    for worker in data.loader._iterator._workers:
        worker.kill()
    if number is None:
        with pytest.raises((RuntimeError, EOFError, OSError)):
            list(batches)
    else:
        assert len(list(batches)) < 8


def test_an_epoch_ends_where_another_process_is_asked_to_end(tmp_path, monkeypatch):
    data = training_data(training_folder(tmp_path, count=4))
    data.start_epoch(1)
    of_all = iter([False, False, True])
    monkeypatch.setattr("util.distributed.anyone", lambda own: own or next(of_all))
    assert len(list(data)) == 2 and not data.ending


def test_a_folder_without_a_readable_image_is_one_line(tmp_path):
    training_folder(tmp_path, count=1)
    (tmp_path / "trainB" / "chelsea0.png").write_text("text")
    for _ in range(2):
        with pytest.raises(WorkError, match=r"trainB: not one image .*chelsea0\.png: cannot read this") as caught:
            drawn(training_data(tmp_path), 1)
        assert "\n" not in str(caught.value)


def test_sizes_that_cannot_share_a_batch(tmp_path):
    training_folder(tmp_path, size=(40, 36))
    photograph((80, 80)).save(tmp_path / "trainA" / "coffee1.png")
    with pytest.raises(WorkError, match="--batch_size 1"):
        drawn(training_data(tmp_path, "--preprocess", "none", "--batch_size", "3"), 1)


def single_data(root, *flags):
    return create_dataset(TestOptions().parse(["--dataroot", str(root), "--name", "n", *flags]))


def test_images_to_enhance(tmp_path):
    training_folder(tmp_path, count=3)
    (tmp_path / "testA" / "broken.png").write_text("text")
    data = single_data(tmp_path)
    samples = list(data)
    assert len(data) == len(samples) == 4
    assert [sample["name"] for sample in samples] == ["broken", "coffee0", "coffee1", "coffee2"]
    assert "cannot read" in str(samples[0]["error"])
    assert [sample["A"].shape for sample in samples[1:]] == [(1, 3, 36, 40 + i) for i in range(3)]


def test_a_folder_or_a_file_will_do(tmp_path):
    training_folder(tmp_path)
    assert len(single_data(tmp_path / "trainA")) == 3
    assert [s["name"] for s in single_data(tmp_path / "trainA" / "coffee1.png")] == ["coffee1"]
    assert len(single_data(tmp_path, "--max_dataset_size", "2")) == 2
    assert next(iter(single_data(tmp_path, "--preprocess", "scale_width", "--load_size", "20")))["A"].shape[-1] == 20
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(WorkError, match=r"notes\.txt: not an image"):
        single_data(tmp_path / "notes.txt")


def test_what_was_made_before_is_not_enhanced_again(tmp_path):
    for name in ("a.png", "results/LSRW/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        photograph((8, 6)).save(tmp_path / name)
    assert single_data(tmp_path, "--results_dir", str(tmp_path / "results")).names == ["a"]
    assert single_data(tmp_path, "--results_dir", str(tmp_path / "elsewhere")).names == ["a", "b"]


def saved(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        photograph((8, 6)).save(root / name)


def test_results_are_never_input(tmp_path):
    saved(tmp_path, "a.png", "demo/test_latest/images/a_fake_B.png", "n/test_latest/images/a_fake_B.png")
    (tmp_path / "demo" / "test_latest" / "records.jsonl").touch()
    data = single_data(tmp_path, "--results_dir", str(tmp_path))  # demo's by its records, n's by its place
    assert data.names == ["a"]
    first = tmp_path / "demo" / "test_latest"
    assert data.notices == [f"left out of {tmp_path}: results of test.py, {first} and 1 more"]
    assert single_data(first / "images").names == ["a_fake_B"]  # asked for by name
    for place in ("", "images", "images/a_fake_B.png"):
        with pytest.raises(UsageError, match="this run writes its results there; choose another --results_dir"):
            single_data(tmp_path / "n" / "test_latest" / place, "--results_dir", str(tmp_path))


def test_references_are_never_input(tmp_path):
    saved(tmp_path, "low/1.png", "low/2.png", "high/1.png", "high/2.png", "1_gt.png")
    for reference in ("high", "low/../high", "1_gt.png"):
        data = single_data(tmp_path, "--reference", str(tmp_path / reference))
        assert data.notices == [f"left out of {tmp_path}: the references, {(tmp_path / reference).resolve()}"]
        assert not {path.resolve() for path in data.paths} & {tmp_path / "1_gt.png"} or reference != "1_gt.png"
    assert len(data) == 4


def test_what_is_no_input_is_counted(tmp_path):
    saved(tmp_path, "a.png", "b.png", "sub/c.png")
    for name in ("x.xyz", "sub/y.XYZ", "notes.txt", "README"):
        (tmp_path / name).touch()
    (tmp_path / "gone.png").symlink_to("nowhere")
    data = single_data(tmp_path, "--max_dataset_size", "1")
    assert data.notices == [
        f"left out of {tmp_path}: 2 .xyz, 1 .png (not a file), 1 .txt, 1 without extension",
        f"left out of {tmp_path}: 2 images beyond --max_dataset_size",
    ]
    assert single_data(tmp_path / "sub" / "c.png").notices == []


def test_a_subfolder_that_may_not_be_read(tmp_path, monkeypatch):
    saved(tmp_path, "a.png", "sub/c.png")
    scandir = os.scandir

    def refuse(folder):
        if Path(folder).name == "sub":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    data = single_data(tmp_path)
    assert data.names == ["a"] and [str(error).partition(": ")[0] for error in data.unreadable] == [f"{tmp_path}/sub"]
    with pytest.raises(WorkError, match="sub: cannot read this folder"):
        single_data(tmp_path / "sub")
    (tmp_path / "a.png").unlink()
    with pytest.raises(WorkError, match="sub: cannot read this folder"):
        single_data(tmp_path)


def test_a_data_set_without_images_of_this_phase(tmp_path):
    training_folder(tmp_path)
    (tmp_path / "testA").rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"there is no testA in it, but trainA and trainB; add --phase train, or name"):
        single_data(tmp_path)
    with pytest.raises(UsageError, match="there is no testB in it"):
        single_data(tmp_path, "--direction", "BtoA")
    assert len(single_data(tmp_path, "--phase", "train")) == 3
    assert len(single_data(tmp_path / "elsewhere")) == 3
    saved(tmp_path / "photos", "camA/1.png", "camB/2.png", "trainA/3.png")  # no data set
    assert len(single_data(tmp_path / "photos")) == 3


def test_training_counts_what_it_leaves_out(tmp_path):
    training_folder(tmp_path)
    (tmp_path / "trainB" / "x.xyz").touch()
    assert training_data(tmp_path).dataset.notices == [f"left out of {tmp_path / 'trainB'}: 1 .xyz"]


def test_that_files_have_more_frames_is_said_once(tmp_path, capsys):
    for name in ("a.gif", "b.gif"):
        photograph((8, 6)).save(tmp_path / name, save_all=True, append_images=[photograph((8, 6), "chelsea")])
    assert len(list(single_data(tmp_path))) == 2
    assert capsys.readouterr().out.count("of such files the first is enhanced") == 1


def test_samples_say_what_their_file_says(tmp_path):
    image = photograph((8, 6))
    exif = image.getexif()
    exif[0x010F] = "Maker"
    image.save(tmp_path / "a.jpg", exif=exif)
    image.putalpha(99)
    image.save(tmp_path / "b.png")
    save_deep_png(tmp_path / "c.png", np.full((6, 8, 4), 300, np.uint16))
    a, b, c = single_data(tmp_path)
    keys = {"A", "A_paths", "name", "alpha", "metadata", "deep", "gray", "pixels", "shown_as", "several"}
    assert set(a) == set(b) == set(c) == keys and [sample["shown_as"] for sample in (a, b, c)] == ["jpg", "png", "png"]
    assert b"Maker" in a["metadata"].exif and b["metadata"].exif is None
    assert [sample["deep"] for sample in (a, b, c)] == [False, False, True]
    assert a["alpha"] is None and (levels(b["alpha"]) == 99).all() and (levels(c["alpha"]) == 1).all()
    assert c["A"].shape == (1, 3, 6, 8) and torch.allclose(c["A"], torch.tensor(300 / 65535 * 2 - 1))


def test_deep_images_are_resized_at_full_precision(tmp_path):
    image = photograph((40, 24))
    image.save(tmp_path / "a.png")
    save_deep_png(tmp_path / "b.png", np.dstack([np.asarray(image), np.full((24, 40), 99)]).astype(np.uint16) * 257)
    plain, deep = single_data(tmp_path, "--preprocess", "scale_width_and_crop", "--load_size", "20", "--crop_size", "9")
    assert deep["A"].shape == plain["A"].shape == (1, 3, 9, 9)
    assert np.abs(levels(to_image(deep["A"][0])) - levels(to_image(plain["A"][0]))).max() <= 1
    assert ((deep["A"] + 1) * 127.5 % 1).sub(0.5).abs().min() < 0.1  # between the levels of 8 bits
    assert deep["alpha"].size == (9, 9) and deep["A"].abs().max() <= 1


@pytest.mark.parametrize(
    "threads, limit, most",
    [
        (3, 10_000, 3),  # so many threads
        (8, 250, 2),  # 100 pixels each
        (8, 99, 1),
    ],
)
def test_few_images_wait(tmp_path, monkeypatch, threads, limit, most):
    for i in range(6):
        photograph((10, 10)).save(tmp_path / f"{i}.png")
    monkeypatch.setattr("data.single_dataset.MOST_AHEAD", limit)
    monkeypatch.setattr("data.single_dataset.ThreadPoolExecutor", AtOnce)
    data = single_data(tmp_path, "--num_threads", str(threads))
    started, read = [], data.read
    data.read = lambda index: started.append(index) or read(index)
    ahead = []
    for used, sample in enumerate(data):
        assert sample["name"] == str(used)
        ahead.append(len(started) - used - 1)
    assert ahead == [min(most, 5 - used) for used in range(6)]


class AtOnce:
    """In the place of a pool of threads: does at once what it is given."""

    def __init__(self, threads):
        self.threads = threads

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future


def test_a_broken_image_takes_no_room(tmp_path, monkeypatch):
    (tmp_path / "0.png").write_text("text")
    for i in (1, 2):
        photograph((10, 10)).save(tmp_path / f"{i}.png")
    monkeypatch.setattr("data.single_dataset.MOST_AHEAD", 100)
    data = single_data(tmp_path, "--num_threads", "4")
    data._read_ahead(AtOnce(4), to_come := deque([0, 1, 2]), waiting := deque())
    assert [pixels for pixels, _ in waiting] == [0, 100] and list(to_come) == [2]


def test_some_of_the_images(tmp_path):
    for i in range(4):
        photograph((8, 6)).save(tmp_path / f"{i}.png")
    assert [sample["name"] for sample in single_data(tmp_path).samples([3, 1])] == ["3", "1"]
    assert list(single_data(tmp_path).samples([])) == []


def test_a_used_sample_is_let_go(tmp_path):
    for i in range(3):
        photograph((10, 10)).save(tmp_path / f"{i}.png")
    samples = iter(single_data(tmp_path))
    gone = weakref.ref(next(samples)["A"])
    assert gone() is None
    assert len(list(samples)) == 2


def test_batches_hold_images_of_one_size_that_follow_each_other(tmp_path):
    for i, size in enumerate([(8, 6), (8, 6), (8, 6), (9, 6), (8, 6), None, (8, 6)]):
        if size:
            photograph(size).save(tmp_path / f"{i}.png")
        else:
            (tmp_path / f"{i}.png").write_text("text")
    data = single_data(tmp_path)

    def names(indices, size):
        return ["".join(sample["name"] for sample in batch) for batch in data.batches(indices, size)]

    assert names(range(7), 2) == ["01", "2", "3", "4", "5", "6"]
    assert names(range(7), 9) == ["012", "3", "4", "5", "6"]
    assert names([0, 2, 5, 4, 6], 9) == ["02", "5", "46"]
    assert names([], 2) == []
