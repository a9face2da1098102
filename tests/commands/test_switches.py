"""Switches of precision, memory layout and memory use: the same training, within the rounding that each allows."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from commands import ROOT, error_line, run
from models.enhancer import Enhancer
from models.optim.weight_average import WeightAverage
from sample_images import images_batch as pair
from sample_images import photograph, training_folder
from small_model import small_model, step
from util.metrics.scores import psnr, ssim
from util.monitor.loss_log import LossLog
from util.monitor.validation import Validation
from util.precision import full


def losses_after(model, count=2):
    totals = [step(model, pair(seed)) for seed in range(count)]
    return totals, model.get_current_losses()


def test_checkpointing_changes_nothing(tmp_path):
    plain, _ = losses_after(small_model(tmp_path, "--dropout"))
    switched, _ = losses_after(small_model(tmp_path, "--dropout", "--checkpoint_activations"))
    assert switched == pytest.approx(plain, rel=1e-6)


def test_channels_last_changes_nothing_but_rounding(tmp_path):
    (plain, _), _ = losses_after(small_model(tmp_path))
    model = small_model(tmp_path, "--channels_last")
    (switched, _), _ = losses_after(model)
    assert switched == pytest.approx(plain, rel=1e-4)
    assert model.fake_B.is_contiguous(memory_format=torch.channels_last)


def test_checkpointing_keeps_only_what_goes_in_and_out(tmp_path):
    def saved_values(*flags):
        model = small_model(tmp_path, *flags)
        model.set_input(pair(1))
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
            model.forward()
        return sum(sizes)

    assert saved_values("--checkpoint_activations") < saved_values() / 10


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_mixed_precision_stays_near(tmp_path, amp):
    (plain, _), _ = losses_after(small_model(tmp_path))
    model = small_model(tmp_path, "--amp", amp, "--force_amp")
    (switched, _), _ = losses_after(model)
    assert switched == pytest.approx(plain, rel=0.02)
    assert model.pre_A.dtype == {"bf16": torch.bfloat16, "fp16": torch.float16}[amp]
    assert all(loss.dtype == torch.float32 for loss in model.losses().values())
    assert all(p.dtype == torch.float32 for network in model.networks().values() for p in network.parameters())


def test_the_last_layer_of_a_discriminator_is_exact_under_autocast(tmp_path):
    network = small_model(tmp_path).netD_A
    seen = []
    network.model[-1].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        scores = network(pair(1)["A"])
    assert seen == [torch.float32] and scores.dtype == torch.float32
    assert full(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_the_average_follows_the_weights():
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    average = WeightAverage({"one": network}, decay=0.3)
    expected = copy.deepcopy(network.state_dict())
    for number in range(1, 5):
        network(torch.rand(4, 2))
        with torch.no_grad():
            for p in network.parameters():
                p.add_(torch.rand_like(p))
        average.update()
        decay = min(0.3, (1 + number) / (10 + number))
        for key, value in network.state_dict().items():
            # All but the batch norm's count of batches, which is a whole number.
            mixed = value.is_floating_point()
            expected[key] = decay * expected[key] + (1 - decay) * value if mixed else value.clone()
    for key, value in average.networks["one"].state_dict().items():
        torch.testing.assert_close(value, expected[key])


def test_metrics_are_those_of_their_definitions():
    first, second = photograph((40, 30)), photograph((40, 30), brightness=0.9)
    difference = torch.tensor(list(first.tobytes())).float() - torch.tensor(list(second.tobytes())).float()
    by_hand = 10 * torch.log10(255**2 / difference.square().mean()).item()
    assert psnr(first, second) == pytest.approx(by_hand, rel=1e-6)
    assert psnr(first, first) == float("inf")
    assert ssim(first, first) == pytest.approx(1)
    assert 0 < ssim(first, second) < 1


def test_validation_measures_the_images(tmp_path):
    (tmp_path / "low").mkdir()
    (tmp_path / "high").mkdir()
    photograph((24, 20), brightness=0.2).save(tmp_path / "low" / "a.png")
    photograph((24, 20)).save(tmp_path / "high" / "a.bmp")
    model = small_model(tmp_path, "--val_dir", str(tmp_path / "low"), "--val_ref", str(tmp_path / "high"), "--dropout")
    validation = Validation(model.opt, tmp_path)
    before = torch.get_rng_state()
    images, scores = validation.run(model.enhancer(), 1, 5)
    assert torch.equal(torch.get_rng_state(), before)  # validating does not change the course of training
    assert model.netG_A.training
    reference = np.asarray(photograph((24, 20)))
    assert scores["psnr"] == pytest.approx(peak_signal_noise_ratio(reference, np.asarray(images["a"])))
    record = json.loads((tmp_path / "validation.jsonl").read_text())
    assert record == {"epoch": 1, "pictures": 5, **scores}
    with (tmp_path / "validation.jsonl").open("a") as file:
        file.write('{"epoch": 1, "pic')  # killed while writing
    Validation(model.opt, tmp_path, resume_at=5)
    assert json.loads((tmp_path / "validation.jsonl").read_text()) == record


@pytest.mark.commands
def test_averaging_and_validation_in_a_run(tmp_path):
    data = training_folder(tmp_path / "dataset", count=2)
    flags = ["--dataroot", "dataset", "--name", "r", "--ngf", "16", "--ndf", "8", "--preprocess", "crop", "--crop_size"]
    flags += ["32", "--num_threads", "0", "--no_text", "--display_id", "0", "--n_epochs", "2", "--n_epochs_decay", "0"]
    flags += [
        "--ema",
        "0.9",
        "--val_dir",
        "dataset/testA",
        "--val_ref",
        "reference",
        "--val_freq",
        "2",
        "--keep_last",
        "1",
    ]
    (tmp_path / "reference").mkdir()
    for path in (data / "testA").iterdir():
        photograph(Image.open(path).size).save(tmp_path / "reference" / path.name)
    done = run("train.py", *flags, "--save_epoch_freq", "1", "--print_freq", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "saves" / "r"
    records = [json.loads(line) for line in (folder / "validation.jsonl").read_text().splitlines()]
    assert [record["pictures"] for record in records] == [2, 4]
    tags = {path.name.split("_net_")[0] for path in folder.glob("*_net_G_A_ema.pth")}
    assert tags == {"2", "best", "latest"}  # --keep_last 1 dropped epoch 1
    page = (folder / "web" / "index.html").read_text()
    assert "images/validation_1.png" in page and "mean psnr" in page and "curves/cycle_A.png" in page
    assert 'http-equiv="refresh"' in page
    assert (folder / "web" / "curves" / "cycle_A.png").is_file()

    for flag in ([], ["--ema"]):
        done = run("test.py", "--dataroot", "dataset", "--name", "r", *flag, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    result = "results/r/test_latest{}/images/coffee0_fake_B.png".format
    results = [Image.open(tmp_path / result(ending)).tobytes() for ending in ("", "_ema")]
    assert results[0] != results[1]
    averaged = Enhancer.from_checkpoint(folder, device="cpu", ema=True)
    image = Image.open(tmp_path / "dataset" / "testA" / "coffee0.png")
    assert averaged.enhance(image).tobytes() == results[1]


@pytest.mark.commands
def test_references_that_do_not_fit_are_one_line(tmp_path):
    training_folder(tmp_path / "dataset", count=1)
    flags = ["--dataroot", "dataset", "--name", "r", "--no_text", "--display_id", "0", "--val_dir", "dataset/testA"]
    done = run("train.py", *flags, "--val_ref", "dataset/trainB", cwd=tmp_path)
    assert done.returncode == 1 and "coffee0.png: no reference of this name in dataset/trainB" in error_line(done)


@pytest.mark.commands
def test_curves_can_be_drawn_again(tmp_path):

    log = LossLog(tmp_path)
    for number in range(1, 60):
        log.add(1, number, 2e-4, {"G_A": 1 / number, "H": 2.0})
    command = [sys.executable, "-m", "util.monitor.curves"]
    done = subprocess.run([*command, str(tmp_path), str(tmp_path / "out")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [Path(line).name for line in done.stdout.splitlines()] == ["G_A.png", "H.png"]
    assert Image.open(tmp_path / "out" / "G_A.png").size == (600, 320)
    done = subprocess.run([*command, str(tmp_path / "out"), "x"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "no losses.jsonl" in error_line(done)
