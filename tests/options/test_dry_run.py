"""train.py --dry_run: what it checks, what it promises, and that it changes nothing."""

import shutil
import subprocess
import sys
from collections import namedtuple

import pytest
import torch

from clip import weights
from clip.download import sha256_of
from commands import ROOT, error_lines, run
from data import create_dataset
from models import create_model
from options.dry_run import dry_run
from options.train_options import TrainOptions
from sample_images import photograph, training_folder
from stub_clip import tiny_clip
from util.monitor.summary import disk_needed, print_summary

SMALL = ["--ngf", "16", "--ndf", "8", "--preprocess", "crop", "--crop_size", "32", "--num_threads", "1"]
SMALL += ["--gpu_ids", "-1", "--dataroot", "dataset", "--name", "r"]


def options(*flags, text=False):
    return TrainOptions().parse([*SMALL, *([] if text else ["--no_text"]), *map(str, flags)])


def everything_in(folder):
    """Names of all that lies in a folder, contents and times of the files."""
    return {path: path.is_file() and (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*")}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working directory but for a data set of three images of each kind."""
    monkeypatch.chdir(tmp_path)
    training_folder(tmp_path / "dataset", count=3)
    return tmp_path


@pytest.fixture
def check(place, capsys, monkeypatch):
    """Calls a dry run: its exit status, its output, its lines on stderr; makes sure that nothing changed."""
    monkeypatch.setattr("clip.download.urlopen", lambda *args, **kwargs: pytest.fail("it downloads"))

    def call(*flags, text=False):
        before = everything_in(place)
        capsys.readouterr()
        status = dry_run(options(*flags, text=text))
        assert everything_in(place) == before
        out, err = capsys.readouterr()
        return status, out, error_lines(namedtuple("Process", "stderr")(err))

    return call


def test_a_plan(check):
    short = ["--n_epochs", 1, "--n_epochs_decay", 1, "--batch_size", 2, "--save_epoch_freq", 1]
    status, out, lines = check(*short)
    assert status == 0 and lines == []
    for part in (
        "3 low-light and 3 normal-light",
        "smallest 40x36, median 41x36, largest 42x36 pixels",
        "2 per epoch, 4 to come, epochs 1 to 2; 2 of each kind per step",
        "latest every 5000 images; numbered every 1 epochs (2 to come)",
        "losses every 100 images, page and curves every 1000, visdom at http://localhost:8097 every 400",
        "validates  nothing",
        "all is well, and nothing was changed",
    ):
        assert part in out
    assert "warning" not in out


@pytest.mark.commands
def test_every_problem_is_one_line(place):
    for path in ("trainA/coffee0.png", "trainA/coffee2.png", "trainB/chelsea1.png"):
        (place / "dataset" / path).write_text("not an image")
    (place / "low").mkdir()
    (place / "high").mkdir()
    for name in "abc":
        photograph((20, 10)).save(place / "low" / f"{name}.png")
    photograph((20, 10)).save(place / "high" / "a.jpg")
    photograph((20, 11)).save(place / "high" / "b.jpg")
    (place / "taken").touch()
    flags = ["--val_dir", "low", "--val_ref", "high", "--checkpoints_dir", "taken", "--clip_path", "nowhere"]
    before = everything_in(place)
    done = run("train.py", *SMALL, *flags, "--dry_run", cwd=place)
    assert done.returncode == 1
    assert everything_in(place) == before
    lines = error_lines(done)
    expected = [
        "trainA/coffee0.png: cannot read this image",
        "trainA/coffee2.png: cannot read this image",
        "trainB/chelsea1.png: cannot read this image",
        "3 of 6 images cannot be read",
        "high/b.jpg: 20x11, the image is 20x10; not compared",
        "low/c.png: no reference of this name in high",
        "taken/r: cannot be written to",
        "--clip_path nowhere: there are no weights of CLIP",
    ]
    assert len(lines) == len(expected) + 1
    for line, part in zip(lines[:-1], expected, strict=True):
        assert line.startswith("error: ") and part in line
    assert lines[-1] == "8 problems: training would fail"
    assert "smallest 41x36, median 41x36, largest 41x36" in done.stdout
    assert "all is well" not in done.stdout


def test_an_image_that_would_be_left_out(check, place):
    (place / "dataset" / "trainA" / "coffee0.png").write_text("not an image")
    status, out, lines = check()
    assert status == 0 and lines == []
    assert "coffee0.png: cannot read this image" in out and "it would be left out" in out
    (place / "dataset" / "trainA" / "coffee1.png").write_text("not an image")
    status, out, lines = check()
    assert status == 1 and "2 of 6 images cannot be read" in lines[2]


def test_a_place_for_curves_that_cannot_be_written_to(check, place):
    (place / "loss").touch()
    status, _, lines = check()
    assert status == 1 and "loss/loss_r: cannot be written to" in lines[0]


@pytest.mark.commands
def test_under_torchrun_one_process_answers(place):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*launcher, str(ROOT / "train.py"), *SMALL, "--no_text", "--dry_run"]
    before = everything_in(place)
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert everything_in(place) == before
    assert done.stdout.count("all is well") == 1
    assert "2 processes" in done.stdout and "2 per epoch, 600 to come" in done.stdout


def test_missing_and_empty_folders_are_both_reported(check, place):
    shutil.rmtree(place / "dataset" / "trainB")
    for image in (place / "dataset" / "trainA").iterdir():
        image.unlink()
    status, out, lines = check()
    assert status == 1 and len(lines) == 3
    assert "trainA: no images" in lines[0] and "trainB: no such folder" in lines[1] and lines[2].startswith("2 ")
    assert "all is well" not in out


def test_what_is_left_out_is_a_warning(check, place):
    (place / "val").mkdir()
    photograph((20, 10)).save(place / "val" / "low1.png")
    for name in ("dataset/trainA/x.xyz", "dataset/trainB/.y.png", "val/z.txt"):
        (place / name).touch()
    status, out, lines = check("--val_dir", "val")
    assert status == 0 and lines == []
    for folder, what in (("dataset/trainA", "1 .xyz"), ("dataset/trainB", "1 hidden"), ("val", "1 .txt")):
        assert f"warning: left out of {folder}: {what}\n" in out


def test_the_plan_begins_with_the_summary(check, capsys):
    out = check()[1]
    opt = options()
    model = create_model(opt)
    model.setup(opt)
    capsys.readouterr()
    print_summary(opt, create_dataset(opt), model, model.folder, {"epoch": 1, "seen": 0, "pictures": 0})
    summary = capsys.readouterr().out
    assert len(summary.splitlines()) > 10 and out.startswith(summary)


def test_weights_that_a_new_run_would_overwrite(check, place):
    (place / "saves" / "r").mkdir(parents=True)
    (place / "saves" / "r" / "5_net_G_A.pth").touch()
    status, _, lines = check()
    assert status == 2 and len(lines) == 2
    assert "saves/r already holds weights: add --continue_train" in lines[0]
    for name in ("coffee0", "coffee1"):  # more than a tenth
        (place / "dataset" / "trainA" / f"{name}.png").write_text("not an image")
    status, _, lines = check()
    assert status == 1 and len(lines) == 5  # both images, that they are too many, the weights, the sum


@pytest.fixture
def stopped(place):
    """The folder of a run that was stopped in its second epoch."""
    opt = options("--n_epochs", 3, "--n_epochs_decay", 1)
    model = create_model(opt)
    model.setup(opt)
    model.save("latest", {"epoch": 2, "seen": 1, "pictures": 4, "best": None})
    (model.folder / "train_opt.json").write_text('{"n_epochs": 3, "n_epochs_decay": 1, "ngf": 16, "no_text": true}')
    return model.folder


def test_a_run_that_can_go_on(check, stopped):
    status, out, lines = check("--continue_train")
    assert status == 0 and lines == []
    assert "epoch 2 of 4, going on after 4 images" in out
    assert "3 per epoch, 8 to come, epochs 2 to 4" in out


@pytest.mark.parametrize("file", ["latest_net_D_B.pth", "latest_train_state.pth"])
def test_damaged_weights(check, stopped, file):
    (stopped / file).write_bytes(b"0123")
    status, _, lines = check("--continue_train")
    assert status == 1 and len(lines) == 2
    assert f"{file}: not a file of PyTorch weights" in lines[0]


def test_train_state_of_other_networks(check, stopped):
    state = torch.load(stopped / "latest_train_state.pth")
    state["optimizers"] = state["optimizers"][:1]
    torch.save(state, stopped / "latest_train_state.pth")
    status, _, lines = check("--continue_train")
    assert status == 1 and "latest_train_state.pth: does not fit this run" in lines[0]


def test_a_run_that_is_over(check, stopped):
    state = torch.load(stopped / "latest_train_state.pth")
    state["progress"] = {"epoch": 5, "seen": 0, "pictures": 12, "best": None}
    torch.save(state, stopped / "latest_train_state.pth")
    status, out, _ = check("--continue_train")
    assert status == 0
    assert "3 per epoch, 0 to come" in out and "all 4 epochs are done" in out


def test_clip_that_would_be_downloaded(check, place, monkeypatch):
    monkeypatch.setenv("CLIP_CACHE", str(place / "cache"))
    status, out, _ = check(text=True)
    assert status == 0
    assert f"{place}/cache/RN50.pt is not there: training would first download https://" in out
    (place / "cache").mkdir()
    (place / "cache" / "RN50.pt").write_text("half of it")
    assert "RN50.pt is not there" in check(text=True)[1]


def test_clip_in_the_cache(check, place, monkeypatch):
    monkeypatch.setenv("CLIP_CACHE", str(place))
    torch.save(tiny_clip().state_dict(), place / "RN50.pt")
    monkeypatch.setitem(weights.MODELS, "RN50", f"{sha256_of(place / 'RN50.pt')}/RN50.pt")
    status, out, lines = check(text=True)
    assert status == 0 and lines == [] and "warning" not in out
    _, out, _ = check("--prompt_low", "a dark night", text=True)
    assert "bpe_simple_vocab_16e6.txt.gz is not there" in out and "RN50.pt is not there" not in out


def test_damaged_clip(check, place):
    (place / "RN50.pt").write_text("not CLIP")
    status, out, lines = check("--clip_path", "RN50.pt", text=True)
    assert status == 1 and len(lines) == 2 and "RN50.pt cannot be read as weights" in lines[0]
    assert "CLIP tells 'low light image'" in out  # the plan is that of the options


@pytest.mark.parametrize(
    "flags, enlarged",
    [
        ("--crop_size 36", 0),
        ("--crop_size 40", 3),
        ("--preprocess resize_and_crop --load_size 64 --crop_size 40", 3),
        ("--preprocess scale_width_and_crop --load_size 36 --crop_size 32", 2),  # 32.4, 31.6, 30.9 pixels high
        ("--preprocess none --crop_size 512", 0),
    ],
)
def test_small_images(check, flags, enlarged):
    status, out, _ = check(*flags.split())
    assert status == 0
    for kind in ("low-light", "normal-light"):
        assert (f"{enlarged} of 3 {kind} images are smaller than the crop" in out) == (enlarged > 0)
    assert ("smaller" in out) == (enlarged > 0)


def test_images_that_cannot_share_a_batch(check):
    status, _, lines = check("--preprocess", "none", "--batch_size", 2)
    assert status == 0, lines  # 40, 41 and 42 pixels are all rounded to 40
    status, _, lines = check("--preprocess", "scale_width", "--load_size", 400, "--batch_size", 2)
    assert status == 1 and "--batch_size 2: images of different sizes" in lines[0]


def test_the_disk(check, monkeypatch):
    usage = namedtuple("usage", "total used free")
    for free, enough in ((2**50, True), (2**20, False)):
        monkeypatch.setattr("shutil.disk_usage", lambda place, free=free: usage(2**50, 0, free))
        status, out, _ = check()
        assert status == 0 and ("too small for all saves" in out) != enough
    assert "1.0 MiB free" in out


def test_what_a_save_takes(place):
    opt = options("--pool_size", 40, "--ema", 0.9, "--save_epoch_freq", 100, "--val_dir", "d", "--val_ref", "d")
    model, data = create_model(opt), create_dataset(opt)
    model.setup(opt)
    for parameter in (p for optimizer in model.optimizers for p in optimizer.param_groups[0]["params"]):
        parameter.grad = torch.zeros_like(parameter)
    for optimizer in model.optimizers:
        optimizer.step()
    for pool in model.pools.values():
        pool.images = [torch.zeros(1, 3, 32, 32) for _ in range(40)]
    model.save("latest", {})
    files = {path.name: path.stat().st_size for path in model.folder.iterdir()}
    networks, state, kept = disk_needed(opt, data, model, {"epoch": 1, "seen": 0, "pictures": 0}, 32 * 32)
    assert networks == pytest.approx(sum(size for name, size in files.items() if "_net_" in name), rel=0.03)
    assert state == pytest.approx(files["latest_train_state.pth"], rel=0.03)
    assert kept == 4 * (networks + state) + networks  # epochs 100, 200 and 300, latest; best has no state
    opt.keep_last, opt.save_by_iter, opt.save_latest_freq = 2, True, 100
    assert disk_needed(opt, data, model, {"epoch": 1, "seen": 0, "pictures": 0}, 32 * 32)[2] == (
        5 * (networks + state) + networks
    )
