"""The text term: what CLIP is shown and asked, and whether its answer reaches the generators."""

import math

import pytest
import torch
import torch.nn.functional as F

from clip import CLIP_MEAN, CLIP_STD
from commands import error_line, run
from models.losses.text_prior import TextPrior
from sample_images import images_batch as pair
from sample_images import training_folder
from small_model import objective, small_model, step
from stub_clip import StubCLIP, random_stub, save_archive, tiny_clip
from util.monitor.loss_log import read_losses

LOW, HIGH = ["low light image"], ["high light image"]
GENERATIVE = ("Pre", "H", "G_A", "G_B")


def text_model(folder, *flags, texts=2):
    from models import create_model

    opt = small_model(folder, *flags).opt
    opt.no_text = False
    torch.manual_seed(opt.seed)
    return create_model(opt, clip_model=random_stub(texts))


def test_probabilities_are_a_softmax_of_cosines():
    stub = random_stub()
    x = torch.rand(3, 3, 50, 40) * 2 - 1
    found = TextPrior(stub, LOW, HIGH, "raw")(x)
    seen = F.interpolate(x, (224, 224), mode="bilinear", antialias=True)
    features = F.adaptive_avg_pool2d(seen, 4).flatten(1) @ stub.image_weight
    cosines = F.cosine_similarity(features[:, None], stub.text_weight[None], dim=2)
    torch.testing.assert_close(found, (5 * cosines).softmax(1))
    assert found.shape == (3, 2)
    torch.testing.assert_close(found.sum(1), torch.ones(3))


def test_what_clip_is_shown():
    shown = {}
    for clip_input in ("raw", "normalized"):
        stub = random_stub()
        stub.encode_image = lambda x, key=clip_input: shown.setdefault(key, x)[:, :, 0, :8].mean(1)
        TextPrior(stub, LOW, HIGH, clip_input)(torch.full((1, 3, 30, 50), 0.5))
    torch.testing.assert_close(shown["raw"], torch.full((1, 3, 224, 224), 0.5))
    expected = torch.tensor([(0.75 - mean) / std for mean, std in zip(CLIP_MEAN, CLIP_STD, strict=True)])
    torch.testing.assert_close(shown["normalized"].mean((0, 2, 3)), expected)
    assert shown["normalized"].shape == (1, 3, 224, 224)


def test_several_prompts_are_averaged(monkeypatch):
    """Two words for low light, (1, 0) and (0, 1), count as their mean direction."""
    monkeypatch.setattr("clip.tokenize", lambda texts, *args, **kwargs: torch.zeros(len(texts), 77))
    stub = StubCLIP(torch.eye(48)[:, :2], torch.tensor([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]]))
    prior = TextPrior(stub, ["dark", "night"], ["day"], "raw")
    torch.testing.assert_close(prior.text_features, torch.tensor([[0.5**0.5, 0.5**0.5], [-1.0, 0.0]]))


def test_clip_is_frozen_and_not_saved(tmp_path):
    model = text_model(tmp_path)
    stub = model.text_prior.clip
    before = [p.clone() for p in stub.parameters()]
    step(model, pair(1))
    assert not stub.training
    assert all(p.grad is None and torch.equal(p, old) for p, old in zip(stub.parameters(), before, strict=True))
    model.save("latest", {})
    assert sorted({path.name.split("_")[1] for path in model.folder.iterdir()}) == ["net", "train"]
    assert len(list(model.folder.glob("latest_net_*.pth"))) == 8


def test_the_images_of_a_step_go_through_clip_in_one_batch(tmp_path):
    model = text_model(tmp_path, "--batch_size", "2")
    step(model, pair(1, n=2))
    assert model.text_prior.clip.asked == [8]


def gradient_of_the_text_term(model):
    """The norm of what the text term alone gives the generators' parameters; None if it has no gradient."""
    _, losses = objective(model, pair(7))
    text = losses["D_A_CLIP"] + losses["D_B_CLIP"]
    assert text.item() > 0
    if not text.requires_grad:
        return None
    parameters = [p for name in GENERATIVE for p in model.networks()[name].parameters()]
    gradients = torch.autograd.grad(text, parameters, allow_unused=True)
    return math.sqrt(sum(g.square().sum().item() for g in gradients if g is not None))


def test_the_text_term_trains_the_generators_in_paper_and_not_in_released(tmp_path):
    assert gradient_of_the_text_term(text_model(tmp_path, "--recipe", "paper")) > 1e-6
    assert gradient_of_the_text_term(text_model(tmp_path, "--recipe", "released")) is None
    assert gradient_of_the_text_term(text_model(tmp_path, "--recipe", "released", "--text_gradient")) > 1e-6
    assert gradient_of_the_text_term(text_model(tmp_path, "--recipe", "paper", "--no-text_gradient")) is None


def test_in_paper_the_updates_depend_on_the_text_term(tmp_path):
    def trained(*flags, text):
        model = text_model(tmp_path, *flags) if text else small_model(tmp_path, *flags)
        step(model, pair(1))
        return model.netG_A.model[1].weight

    assert not torch.equal(trained(text=True), trained(text=False))
    assert torch.equal(trained("--recipe", "released", text=True), trained("--recipe", "released", text=False))


def test_the_text_term_is_what_it_says(tmp_path):
    model = text_model(tmp_path)
    _, losses = objective(model, pair(1))
    prior = model.text_prior
    for loss, names, wanted in (
        ("D_A_CLIP", ("fake_B", "rec_B"), [0.0, 1.0]),
        ("D_B_CLIP", ("fake_A", "rec_A"), [1.0, 0.0]),
    ):
        expected = sum((prior(getattr(model, name)) - torch.tensor([wanted])).abs().mean() for name in names)
        torch.testing.assert_close(losses[loss], expected)


def test_pools_of_the_released_text_term(tmp_path):
    """fake_B, rec_B and fake_A share a pool, in this order; rec_A has another."""
    model = text_model(tmp_path, "--recipe", "released")
    objective(model, pair(1))
    kept = model.pools["text"].images
    assert [torch.equal(image, x) for image, x in zip(kept, (model.fake_B, model.rec_B, model.fake_A), strict=True)]
    assert torch.equal(model.pools["text_rec_A"].images[0], model.rec_A)


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "RN50.pt"
    halves = {key: x.half() if x.is_floating_point() else x for key, x in tiny_clip().state_dict().items()}
    save_archive(halves, path)
    return path


SHORT = ["--ngf", "16", "--ndf", "8", "--preprocess", "crop", "--crop_size", "32", "--num_threads", "0", "--print_freq"]
SHORT += ["1", "--n_epochs", "1", "--n_epochs_decay", "0", "--no_html", "--display_id", "0", "--max_dataset_size", "2"]


@pytest.mark.commands
@pytest.mark.parametrize("recipe", ["paper", "released"])
def test_training_with_weights_in_the_published_form(tmp_path, tiny_weights, recipe):
    training_folder(tmp_path / "dataset", count=2)
    flags = ["--dataroot", "dataset", "--name", "r", *SHORT, "--recipe", recipe]
    path = tiny_weights if recipe == "paper" else tiny_weights.parent
    done = run("train.py", *flags, "--clip_path", path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"recipe  {recipe}" in done.stdout and "'low light image' from 'high light image'" in done.stdout
    records = read_losses(tmp_path / "saves" / "r")
    assert len(records) == 2 and all(0 < record["losses"]["D_A_CLIP"] < 2 for record in records)


@pytest.mark.commands
def test_training_without_clip_is_refused_in_one_line(tmp_path):
    training_folder(tmp_path / "dataset", count=1)
    nowhere = "http://127.0.0.1:9"  # the discard port: nobody answers
    offline = {"CLIP_CACHE": str(tmp_path / "cache"), "https_proxy": nowhere, "HTTPS_PROXY": nowhere, "no_proxy": ""}
    done = run("train.py", "--dataroot", "dataset", "--name", "r", *SHORT, cwd=tmp_path, env=offline)
    assert done.returncode == 1
    line = error_line(done)
    for told in ("RN50.pt", "SHA-256 afeb0e10f9e5", str(tmp_path / "cache"), "--no_text"):
        assert told in line
    assert not (tmp_path / "saves").exists()


@pytest.mark.commands
@pytest.mark.parametrize("content", [None, "text"])
def test_a_wrong_clip_path_is_one_line(tmp_path, content):
    training_folder(tmp_path / "dataset", count=1)
    if content:
        (tmp_path / "RN50.pt").write_text(content)
    done = run("train.py", "--dataroot", "dataset", "--name", "r", *SHORT, "--clip_path", "RN50.pt", cwd=tmp_path)
    assert done.returncode == 1
    assert "RN50.pt" in error_line(done) and "--no_text" in error_line(done)
