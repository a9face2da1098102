"""Weights to pass on: as good in half precision, without places of one machine; and the images that show them."""

import argparse
import json
import shutil
import subprocess
import sys

import pytest
import torch

from commands import ROOT
from data.demo_dataset import dark_photographs
from models import create_model, ship_weights
from models.enhancer import NETWORKS, Enhancer
from models.networks.generators import with_one_copy
from options.train_options import TrainOptions
from sample_images import enhancer_folder, levels, photograph
from util.checkpoint import net_file, read_options, read_state_dict
from util.errors import WorkError

COMING_WITH_THE_PROJECT = [ROOT / "saves" / name for name in ("demo", "nerco")]
RECORDS = {"train_opt.json", "train_opt.txt", "loss_log.txt"}
SHIPPED = {net_file("latest", net) for net in NETWORKS} | RECORDS


def options(**others):
    """The options of a run, as train.py stores them."""
    stored = {"ngf": 16, "netG": "resnet_6blocks", "norm": "instance", "dropout": False, "nrn_coords": "absolute"}
    given = {"ngf": 16, "val_dir": "-"}
    return argparse.Namespace(**stored, ablate=[], recipe="paper", name="run", **others, given=given)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_folder(folder, stored):
    """Untrained weights whose results use the range of levels, but are not driven to its ends."""
    enhancer_folder(folder, stored, netG="resnet_6blocks")
    change(folder, "G_A", 0.1, net_file("latest", "G_A"))


def change(folder, net, scale, file):
    """Write a network of a run with its last layer scaled."""
    state = read_state_dict(folder, "latest", net)
    last = list(state)[-2:]
    torch.save({key: value * scale if key in last else value for key, value in state.items()}, folder / file)


@pytest.fixture
def run(tmp_path):
    """A run's folder, and beside it one of images."""
    run_folder(tmp_path / "run", options(dataroot="/home/me/data"))
    (tmp_path / "run" / "loss_log.txt").write_text("(epoch: 1)\n")
    (tmp_path / "low").mkdir()
    photograph((40, 32), brightness=0.2).save(tmp_path / "low" / "a.png")
    return tmp_path / "run"


def ship(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["ship_weights", *map(str, arguments)])
    return ship_weights.main()


def test_half_precision_gives_the_same_images(run, tmp_path, monkeypatch, capsys):
    target = tmp_path / "new" / "demo"
    assert ship(monkeypatch, run, target, "--pictures", tmp_path / "low") == 0
    assert "differs from full precision by" in capsys.readouterr().out
    assert set(contents(target)) == SHIPPED
    for net in NETWORKS:
        assert {value.dtype for value in read_state_dict(target, "latest", net).values()} == {torch.float16}
    dark = photograph((53, 41), "chelsea", 0.2)
    full, half = (Enhancer.from_checkpoint(folder, device="cpu").enhance(dark) for folder in (run, target))
    assert abs(levels(full) - levels(half)).max() <= 1
    assert levels(full).std() > 1


def test_other_weights_of_the_run_can_be_chosen(run, tmp_path, monkeypatch):
    for net in NETWORKS:
        change(run, net, 0.5, net_file("best", f"{net}_ema"))
    assert ship(monkeypatch, run, tmp_path / "demo", "--epoch", "best", "--ema", "--pictures", tmp_path / "low") == 0
    for net in NETWORKS:
        chosen, shipped = (
            read_state_dict(*where) for where in ((run, "best", f"{net}_ema"), (tmp_path / "demo", "latest", net))
        )
        assert all(torch.equal(shipped[key], value.half()) for key, value in chosen.items())
    assert read_options(tmp_path / "demo")["weights"] == "epoch best, averaged, float16"


def test_weights_are_averaged_with_those_of_another_folder(run, tmp_path, monkeypatch, capsys):
    run_folder(tmp_path / "first", options())
    change(tmp_path / "first", "G_A", 0.5, net_file("latest", "G_A"))
    flags = ("--blend", tmp_path / "first", "0.25", "--pictures", tmp_path / "low")
    assert ship(monkeypatch, run, tmp_path / "demo", *flags) == 0
    for net in NETWORKS:
        own, other, shipped = (read_state_dict(tmp_path / name, "latest", net) for name in ("run", "first", "demo"))
        for key, value in shipped.items():
            torch.testing.assert_close(value.float(), own[key] * 0.75 + other[key] * 0.25, atol=1e-3, rtol=1e-3)
    assert any(not torch.equal(own[key], other[key]) for key in own)
    assert read_options(tmp_path / "demo")["weights"] == "epoch latest, 0.25 of first, float16"

    bare = options()
    bare.ablate = ["mask", "nrn"]  # its enhancer was given the image twice
    run_folder(tmp_path / "bare", bare)
    assert ship(monkeypatch, run, tmp_path / "third", "--blend", tmp_path / "bare", "1") == 0
    shipped, other = (read_state_dict(tmp_path / name, "latest", "G_A") for name in ("third", "bare"))
    for key, value in with_one_copy(other).items():
        torch.testing.assert_close(shipped[key].float(), value, atol=1e-3, rtol=1e-3)
    shipped, own = (read_state_dict(tmp_path / name, "latest", "Pre") for name in ("third", "run"))
    assert all(torch.equal(shipped[key], value.half()) for key, value in own.items())

    wider = options()
    wider.netG = "resnet_9blocks"
    enhancer_folder(tmp_path / "other", wider, netG="resnet_9blocks")
    assert ship(monkeypatch, run, tmp_path / "two", "--blend", tmp_path / "other", "0.25") == 1
    message = capsys.readouterr().err
    assert "by --netG resnet_9blocks " in message and "run's by --netG resnet_6blocks " in message
    assert ship(monkeypatch, run, tmp_path / "two", "--blend", tmp_path / "first", "2") == 2
    assert not (tmp_path / "two").exists()


def test_numbers_of_batches_are_not_halved():
    state = {"norm.running_mean": torch.ones(2), "norm.num_batches_tracked": torch.tensor(70_000)}
    assert [value.dtype for value in ship_weights.half(state).values()] == [torch.float16, torch.int64]


@pytest.mark.parametrize(
    ("scale", "named"), [(100, "gray levels"), (1e8, "in half precision the result is not finite")]
)
def test_weights_that_need_full_precision_are_refused(run, tmp_path, monkeypatch, capsys, scale, named):
    change(run, "G_A", scale, net_file("latest", "G_A"))
    assert ship(monkeypatch, run, tmp_path / "demo", "--pictures", tmp_path / "low") == 1
    assert named in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_options_lose_the_places_of_the_machine(tmp_path):
    places = {
        "dataroot": "/home/me/data",
        "val_dir": "/home/me/data/val/low",
        "val_ref": "/elsewhere/high",
        "clip_path": r"C:\Users\me\RN50.pt",
        "checkpoints_dir": "/home/me/saves",
        "display_server": "http://my-machine",
        "gpu_ids": [3],
        "other": ["../me/file", "~/me/file", "kept/file"],
    }
    kept = {"prompt_low": ["a dark/dim photo"], "lr": 2e-4, "amp": "bf16", "val_freq": None}
    run_folder(tmp_path / "run", options(**places, **kept))
    ship_weights.ship(tmp_path / "run", tmp_path / "demo", [photograph((32, 32))])
    stored = json.loads((tmp_path / "demo" / "train_opt.json").read_text())
    shape = {flag: value for flag, value in vars(options()).items() if flag not in ("given", "name")}
    assert stored == {
        **shape,
        **kept,
        "name": "demo",
        "weights": "epoch latest, float16",
        "dataroot": "data",
        "val_dir": "val/low",
        "val_ref": "high",
        "clip_path": "RN50.pt",
        "other": ["file", "file", "kept/file"],
    }
    lines = (tmp_path / "demo" / "train_opt.txt").read_text().splitlines()
    assert [line for line in lines if "(given)" in line] == ["ngf = 16    (given)", "val_dir = val/low    (given)"]


def break_weights(run):
    (run / "latest_net_H.pth").write_bytes(b"damaged")


def remove_options(run):
    (run / "train_opt.json").unlink()


def damage_options(run):
    (run / "train_opt.json").write_text("{")


def damage_image(run):
    (run.parent / "low" / "a.png").write_bytes(b"damaged")


@pytest.mark.parametrize(
    ("spoil", "arguments", "status", "named"),
    [
        (shutil.rmtree, (), 1, "run: no such folder"),
        (break_weights, (), 1, "latest_net_H.pth: not a file of PyTorch weights"),
        (remove_options, (), 1, "run: has no train_opt.json"),
        (damage_options, (), 1, "train_opt.json: cannot be read"),
        (damage_image, (), 1, "a.png: cannot read this image"),
        (None, ("--ema",), 1, "latest_net_Pre_ema.pth: no such file; nothing was averaged"),
        (None, ("--epoch", "7"), 1, "7_net_Pre.pth: no such file; --epoch can be latest"),
        (None, ("--pictures", "nowhere"), 1, "nowhere: no such folder"),
        (None, ("--pictures", ""), 2, "an empty name"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(run, tmp_path, monkeypatch, capsys, spoil, arguments, status, named):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "README.md").write_text("model card")
    if spoil:
        spoil(run)
    before = contents(tmp_path)
    assert ship(monkeypatch, run, tmp_path / "demo", "--pictures", tmp_path / "low", *arguments) == status
    message = capsys.readouterr().err
    assert message.startswith("error: ") and named in message and message.count("\n") == 1
    assert contents(tmp_path) == before


def test_a_run_is_not_shipped_onto_itself(run, tmp_path, monkeypatch, capsys):
    before = contents(run)
    for target in (run, tmp_path / "low" / ".." / "run", run / "train_opt.json"):
        assert ship(monkeypatch, run, target, "--pictures", tmp_path / "low") == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert contents(run) == before


@pytest.mark.parametrize(
    "held",
    ["latest_net_G_A.pth", "5_net_H.pth", "5_train_state.pth", "train_opt.json", "train_opt.txt", "loss_log.txt"],
)
def test_weights_and_records_that_are_there_stay(run, tmp_path, monkeypatch, capsys, held):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / held).write_text("old")
    before = contents(tmp_path)
    assert ship(monkeypatch, run, tmp_path / "demo", "--pictures", tmp_path / "low") == 1
    assert f"holds {held} already; move it away, or choose another folder" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_a_model_card_stays(run, tmp_path, monkeypatch):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "README.md").write_text("old")
    assert ship(monkeypatch, run, tmp_path / "demo", "--pictures", tmp_path / "low") == 0
    assert set(contents(tmp_path / "demo")) == SHIPPED | {"README.md"}
    assert (tmp_path / "demo" / "README.md").read_text() == "old"
    assert Enhancer.from_checkpoint(tmp_path / "demo", device="cpu").options["ngf"] == 16


def test_training_cannot_go_on_from_shipped_weights(run, tmp_path):
    ship_weights.ship(run, tmp_path / "demo", [photograph((32, 32))])
    flags = "--gpu_ids -1 --dataroot data --continue_train --no_text --ndf 8 --name demo --checkpoints_dir"
    opt = TrainOptions().parse([*flags.split(), str(tmp_path)])
    with pytest.raises(WorkError, match=r"^[^\n]*latest_net_(G_B|D_A)\.pth: no such file[^\n]*$"):
        create_model(opt).setup(opt)


@pytest.mark.parametrize("folder", COMING_WITH_THE_PROJECT)
def test_weights_are_small_and_without_places(folder):
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 25e6
    networks = Enhancer.from_checkpoint(folder, device="cpu").networks()
    weights = {path.name for path in folder.glob("*.pth")}
    assert weights == {net_file("latest", net) for net in networks}
    assert {path.name for path in folder.iterdir()} >= RECORDS
    assert not [value for value in read_options(folder).values() if isinstance(value, str) and value.startswith("/")]


@pytest.mark.parametrize("folder", COMING_WITH_THE_PROJECT)
def test_weights_brighten_a_dark_photograph(folder):
    enhancer = Enhancer.from_checkpoint(folder, device="cpu")
    _, dark = next(dark_photographs(seed=0, scenes=["coffee"]))
    dark.thumbnail((240, 240))
    enhanced = enhancer.enhance(dark)
    assert enhanced.size == dark.size
    assert levels(enhanced).mean() > levels(dark).mean() + 40
    assert levels(enhanced).std() > 20


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="not a git checkout")
def test_git_keeps_these_weights_and_no_others():
    kept = [
        f"saves/{folder.name}/{name}"
        for folder in COMING_WITH_THE_PROJECT
        for name in (*(path.name for path in folder.glob("*.pth")), *RECORDS, "README.md", "losses.jsonl")
    ]
    others = ("saves/my_run/latest_net_G_A.pth", "saves/demo/latest_net_D_A.pth", "saves/demo/latest_enhancer.onnx")
    asked = "\n".join([*kept, "saves/README.md", *others])
    command = ["git", "check-ignore", "--no-index", "--stdin"]
    ignored = subprocess.run(command, cwd=ROOT, input=asked, capture_output=True, text=True).stdout.splitlines()
    assert sorted(ignored) == sorted(others)
