"""The README and the pages of docs/ hold: each command is run, and quoted errors are real.

Commands are found in the files, so that a new one is run, or fails. They run in this process, which saves the seconds
that each start of PyTorch takes, in a folder with small photographs and untrained weights.
"""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement

from commands import ROOT
from documents import BLOCK, ENGLISH, HOW_TO, spans
from models.losses.text_prior import load_clip
from options.test_options import TestOptions
from options.train_options import TrainOptions
from sample_images import enhancer_folder, photograph, training_folder
from util.errors import WorkError

COMMANDS = ("python ", "torchrun ", "make ", "pip ", "source ", ".venv\\")  # what a command begins with

TROUBLES = ENGLISH["docs/troubleshooting.md"]

# Appended, and only there to make a command small: networks, images, epochs; no GPU, no download, no server.
SMALL = "--ngf 16 --ndf 8 --load_size 32 --crop_size 32 --max_dataset_size 2 --num_threads 0 --n_epochs 1"
SMALLER = {
    "train.py": f"{SMALL} --n_epochs_decay 0 --print_freq 1 --no_text --gpu_ids -1 --display_id 0",
    "test.py": "--gpu_ids -1",
    "app.py": "--help",  # its page: see tests/commands/test_command_app.py
    "venv": "--without-pip",
    "benchmarks.differences": "--width 32 --leave_out compile amp",
    "benchmarks.run": "--device cpu --ngf 16",
    "benchmarks.engines": "--name demo --size 24 16 --rounds 1",
}
# What `make -n` has to show.
TARGETS = {
    "install": ["pip install -r requirements.txt"],
    "demo": ["-m data.demo_dataset", "test.py --name demo"],
    "demo-train": ["-m data.demo_dataset", "train.py --dataroot", "test.py --name demo_train"],
    "app": ["pip install -r requirements.txt -r requirements-app.txt", "app.py"],
    "gpu": ["-m benchmarks.gpu"],
    "test": ["ruff check", "ruff format", "pytest"],
}


# Blocks without a language that are not commands: equations, floors.
NOT_COMMANDS = {"docs/method.md", "docs/layout.md"}


def commands():
    """Every command of the documents, once: the lines of blocks without a language, and inline ones."""
    found = []
    for name, text in ENGLISH.items():
        blocks = [code for language, code in BLOCK.findall(text) if not language and name not in NOT_COMMANDS]
        found += [line.split(" #")[0].strip() for code in blocks for line in code.splitlines() if line.strip()]
        found += [code for code in spans(text) if code.startswith(COMMANDS)]
    return list(dict.fromkeys(found))


def python(patch, line, last=""):
    """Do what "python LINE" does, made small, with the flags ``last`` after that; returns the exit status."""
    module, words = line.startswith("-m "), shlex.split(line.removeprefix("-m "))
    words += shlex.split(f"{SMALLER.get(words[0], '')} {last}")
    patch.setattr(sys, "argv", words)
    try:
        if module:
            return import_module(words[0]).main()
        if words[0] == "-c":
            return exec(words[1], {})
        runpy.run_path(str(ROOT / words[0]), run_name="__main__")
    except SystemExit as end:
        return end.code


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with all that the commands name: images, weights, and a run that the README's command has trained."""
    root = tmp_path_factory.mktemp("prepared")
    training_folder(root / "dataset", count=2)
    for folder, brightness in (("photos", 0.2), ("low", 0.2), ("high", 1), ("mixed/trainA", 0.2), ("mixed/trainB", 1)):
        (root / folder).mkdir(parents=True)
        for width in (40, 60):
            photograph((width, 36), brightness=brightness).save(root / folder / f"{width}.png")
    photograph((40, 36), brightness=0.2).save(root / "dark.jpg")
    for name in ("LSRW", "LOL", "demo", "nerco"):
        enhancer_folder(root / "saves" / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert python(patch, "train.py --dataroot ./dataset --name my_run") == 0
        assert python(patch, "test.py --dataroot ./low --name demo") == 0
    return root


@pytest.fixture
def box(prepared, tmp_path, monkeypatch):
    """A copy of that folder, in which a command runs."""
    monkeypatch.chdir(shutil.copytree(prepared, tmp_path, dirs_exist_ok=True))
    # What takes minutes or seconds at full size and is tested small elsewhere: measuring, images of 640 pixels.
    counts = ("first", "needed", "done", "bytes", "memory", "cost")
    figures = dict.fromkeys(counts, 1) | {"seconds": [1], "ceilings": [1]}
    monkeypatch.setattr("benchmarks.run._in_a_process", lambda *_, **__: figures)
    monkeypatch.setattr("benchmarks.run.ceilings", lambda device: {"fp32": 1, "bf16": 1, "copy": 1})
    monkeypatch.setattr("benchmarks.run.measure_loading", lambda: {"plain": 1, "cached": 1})
    monkeypatch.setattr("data.demo_dataset.TEST_SIZE", 64)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # benchmarks.engines sets it, which ends here
    monkeypatch.setattr("docs.gallery.take", lambda folder, output: None)  # see test_doc_images.py


def requirements(file):
    """What a file of requirements asks for, with the files that it names; each line has to be understood."""
    lines = [line.split("#")[0].strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    named = [one for line in lines if line.startswith("-r ") for one in requirements(line[3:])]
    return named + [Requirement(line).name for line in lines if line and not line.startswith("-r ")]


def check_target(target):
    """The target exists and does what it should, and its flags are understood."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    command = [shutil.which("make"), "-n", target]
    shown = subprocess.check_output(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, text=True).replace("\\\n", "")
    assert [part for part in TARGETS[target] if part not in shown] == []
    for script, flags in re.findall(r"(train|test)\.py (--.*?)(?:;.*)?$", shown, re.MULTILINE):
        {"train": TrainOptions, "test": TestOptions}[script]().parse(shlex.split(flags))


@pytest.mark.parametrize("line", commands())
def test_a_command_runs(box, monkeypatch, line):
    program, _, rest = line.partition(" ")
    if program == "torchrun":  # read by its own parser; tests/test_distributed.py has several processes
        parsed = import_module("torch.distributed.run").get_args_parser().parse_args(shlex.split(rest))
        assert int(parsed.nproc_per_node) > 1
        program, rest = "python", shlex.join([parsed.training_script, *parsed.training_script_args])
    if program == "python":
        if rest.startswith("app.py"):
            pytest.importorskip("gradio", reason="Gradio is not installed: pip install -r requirements-app.txt")
        if "--continue_train" not in rest and rest.startswith("train.py"):
            shutil.rmtree(Path("saves", "my_run"))  # the command is for a new run
        # A run that goes on has to have something left to do.
        assert not python(monkeypatch, rest, "--n_epochs 2" if "--continue_train" in rest else "")
    elif program == "make":
        check_target(rest)
    elif program == "pip":
        assert rest.startswith("install -r ") and requirements(rest.removeprefix("install -r "))
    else:  # the environment that make and "python -m venv" make
        assert line in ("source .venv/bin/activate", ".venv\\Scripts\\activate")
        assert "ENV := .venv\n" in (ROOT / "Makefile").read_text() and "python -m venv .venv" in commands()


def test_all_kinds_of_commands_are_found():
    assert {line.split()[0] for line in commands()} >= {"python", "torchrun", "make", "pip", "source"}
    assert [line for line in commands() if not line.startswith(COMMANDS)] == []


@pytest.mark.parametrize(
    "code",
    [
        code
        for name, text in ENGLISH.items()
        for language, code in BLOCK.findall(text)
        if language == "python" and name != HOW_TO
    ],
)
def test_an_example_runs(box, code):
    exec(code, {})
    assert Path("bright.png").is_file()


def test_files_are_where_the_documents_say(box, monkeypatch):
    for line in ("photos --name demo", "dataset --name demo --export onnx"):
        assert python(monkeypatch, f"test.py --dataroot {line}") == 0
    places = re.compile(r"(saves/(my_run|demo)|loss|results)/[^ ]*\.\w+$")
    named = {code.replace("NAME", "*") for text in ENGLISH.values() for code in spans(text) if places.match(code)}
    named -= {"saves/demo/README.md"}  # the card, which is no result
    named -= {"results/demo/test_latest/clip_fake_B.mp4"}  # of a video: tests/models/inference/test_video.py
    assert len(named) > 5 and [path for path in named if not list(Path().glob(path))] == []


# What the documents quote, and what brings it up: flags after "--dataroot photos --name demo" or "dataset --name new".
SAID = {
    "no GPU found: computing on the CPU": "test.py --gpu_ids 0",
    "out of memory as a whole; going on in bands of rows": "test.py",
    "not enough memory for this image": "test.py --tile off",
    "out of memory: try": "train.py",
    "nothing left to do": "train.py --name my_run --continue_train",
    "there is no folder saves/": "test.py --name typo",
    "does not fit this network": "test.py --name LOL",
    "leave this flag out": "test.py --ngf 64",
    "already holds weights": "train.py --name my_run",
    "latest_net_G_B.pth: no such file": "train.py --name LSRW --continue_train",
    "trainA: no such folder": "train.py --dataroot photos",
    "visdom cannot be imported": "train.py --display_id 1",
    "images of different sizes cannot share a batch": "train.py --dataroot mixed --preprocess none --batch_size 2",
    "is not a finite number any more": "train.py --lr 1e18",
    "--gpu_ids 0,1: one process drives one GPU": "train.py --gpu_ids 0,1",
    "there is no such flag": "test.py --num_test 5",
    "did you mean": "train.py --crop-size 64",
    "must be one name": "test.py --name ../demo",
    "--amp bf16: this processor has no bf16 arithmetic": "test.py --amp bf16",
    "--crop_size 250: must be a multiple of 4": "train.py --crop_size 250 --load_size 512",
    "--crop_size 600 is larger than --load_size 512: raise --load_size": "train.py --crop_size 600 --load_size 512",
}


@pytest.mark.parametrize("quote", SAID)
def test_a_quoted_line_is_what_the_program_says(box, monkeypatch, capsys, quote):
    def out_of_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    if "memory" in quote:
        monkeypatch.setattr("models.inference.runner.Inference._whole", out_of_memory)
        monkeypatch.setattr("models.nerco_model.NeRCoModel.forward", out_of_memory)
    elif "visdom" in quote:
        monkeypatch.setitem(sys.modules, "visdom", None)
        monkeypatch.delitem(sys.modules, "util.monitor.visdom_server", raising=False)
    elif "GPU found" in quote:
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    elif "arithmetic" in quote:
        monkeypatch.setattr("util.precision._cpu_computes", lambda amp: False)
    elif "fit" in quote:
        shutil.copy("saves/LOL/latest_net_G_A.pth", "saves/LOL/latest_net_H.pth")
    script, _, flags = SAID[quote].partition(" ")
    base = "--dataroot photos --name demo" if script == "test.py" else "--dataroot dataset --name new"
    python(monkeypatch, f"{script} {base}", flags)
    said = capsys.readouterr()
    assert quote in said.out + said.err
    assert any(quote in code for code in spans(TROUBLES))


def test_without_a_network_clip_is_asked_for_in_the_quoted_words(tmp_path, monkeypatch):
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: nobody answers
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("CLIP_CACHE", str(tmp_path))
    with pytest.raises(WorkError) as error:
        load_clip(None)
    assert all(
        quote in str(error.value) and quote in spans(TROUBLES) for quote in ("could not download", "urlopen error")
    )


def flags_of_commands():
    parsers = (options().parser() for options in (TrainOptions, TestOptions))
    return {flag for parser in parsers for action in parser._actions for flag in action.option_strings}


@pytest.mark.parametrize("name", [name for name in ENGLISH if name != HOW_TO])
def test_the_flags_that_a_document_names_exist(name):
    known = flags_of_commands() | {"--help", "--nproc_per_node"}
    others = ("benchmarks/*.py", "docs/*.py", "data/*.py", "models/ship_weights.py", "app.py")
    for file in [path for place in others for path in ROOT.glob(place)]:
        known |= set(re.findall(r'add(?:_argument)?\(\s*"(--\w+)"', file.read_text(encoding="utf-8")))
    named = set(re.findall(r"(?<![\w-])--[a-zA-Z][\w-]*", ENGLISH[name]))
    assert sorted(named - known) == []


def test_many_flags_are_named():
    named = {flag for text in ENGLISH.values() for flag in re.findall(r"(?<![\w-])--[a-zA-Z][\w-]*", text)}
    assert len(named & flags_of_commands()) > 50
