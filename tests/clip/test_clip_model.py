"""Our CLIP against the reference implementation's numbers, keys and shapes."""

import json

import numpy as np
import pytest
import torch

from clip import CLIP, build_model, load
from clip.layers import LayerNorm


def assert_close(ours, reference, tolerance):
    """Within ``tolerance`` times the reference's largest magnitude."""
    ours = ours.detach().numpy()
    assert ours.shape == reference.shape
    assert np.abs(ours - reference).max() <= tolerance * np.abs(reference).max()


@pytest.mark.parametrize("name", ["a2_resnet_t128", "b2_vit_t128"])
class TestGolden:
    @pytest.fixture
    def model(self, formula_weights, name):
        return build_model(formula_weights(name)[1])

    @pytest.fixture
    def reference(self, golden, name):
        with np.load(golden / f"golden_{name}.npz") as arrays:
            return dict(arrays)

    def test_features_logits_and_probabilities(self, model, reference):
        images, tokens = torch.from_numpy(reference["images"]), torch.from_numpy(reference["tokens"])
        with torch.no_grad():
            logits_per_image, logits_per_text = model(images, tokens)
            assert_close(model.encode_image(images), reference["image_features"], 1e-5)
            assert_close(model.encode_text(tokens), reference["text_features"], 1e-5)
        assert_close(logits_per_image, reference["logits_per_image"], 1e-5)
        assert_close(logits_per_text, reference["logits_per_text"], 1e-5)
        assert_close(logits_per_image.softmax(dim=-1), reference["softmax"], 1e-5)

    def test_image_gradients(self, model, reference):
        images = torch.from_numpy(reference["images"]).requires_grad_()
        logits, _ = model(images, torch.from_numpy(reference["tokens"]))
        (gradient,) = torch.autograd.grad(logits.softmax(dim=-1)[0, 1], images, retain_graph=True)
        assert_close(gradient[0], reference["grad_p01_full_image0"], 1e-5)
        assert gradient[1].abs().max() == 0
        (gradient,) = torch.autograd.grad(logits[0, 0] + logits[1, 2], images)
        assert_close(gradient, reference["grad_l00_plus_l12"], 1e-5)

    def test_double_precision(self, model, reference):
        model.double()
        images = torch.from_numpy(reference["images"]).double().requires_grad_()
        tokens = torch.from_numpy(reference["tokens"])
        logits, _ = model(images, tokens)
        probabilities = logits.softmax(dim=-1)
        (gradient,) = torch.autograd.grad(probabilities[0, 1], images)
        assert logits.dtype == torch.float64
        for ours, key in (
            (model.encode_image(images), "f64_image_features"),
            (model.encode_text(tokens), "f64_text_features"),
            (logits, "f64_logits_per_image"),
            (probabilities, "f64_softmax"),
            (gradient[0], "f64_grad_p01_full_image0"),
        ):
            assert_close(ours, reference[key], 1e-12)


def test_small_published_form(golden, shared):
    model, _ = load(shared("tiny_vit_fp16.statedict.pt"), device="cpu")
    with np.load(golden / "golden_tiny_vocab600.npz") as arrays:
        reference = {key.removeprefix("vit_fp16weights_float_"): value for key, value in arrays.items()}
    images, tokens = torch.from_numpy(reference["images"]), torch.from_numpy(reference["tokens"])
    with torch.no_grad():
        logits, _ = model(images, tokens)
        assert_close(model.encode_image(images), reference["image_features"], 1e-5)
        assert_close(model.encode_text(tokens), reference["text_features"], 1e-5)
    assert_close(logits, reference["logits_per_image"], 1e-5)
    assert_close(logits.softmax(dim=-1), reference["softmax"], 1e-5)


@pytest.mark.parametrize("name", ["rn50", "vitb32"])
def test_keys_shapes_and_order_of_the_published_models(golden, name):
    reference = json.loads((golden / f"clip_state_dict_{name}.json").read_text())
    with torch.device("meta"):
        model = CLIP(**reference["config"])
    assert [[key, list(value.shape)] for key, value in model.state_dict().items()] == reference["entries"]
    assert model.input_resolution == 224


@pytest.mark.parametrize("name", ["rn50", "vitb32"])
def test_configuration_of_the_published_models_is_read_off_the_shapes(golden, name, monkeypatch):
    reference = json.loads((golden / f"clip_state_dict_{name}.json").read_text())
    seen = {}
    monkeypatch.setattr("clip.build.CLIP", lambda **configuration: seen.update(configuration) or CLIP(**configuration))
    # The weights share one zero for each tensor: only their shapes matter.
    build_model({key: torch.zeros(()).expand(shape) for key, shape in reference["entries"]})
    if isinstance(reference["config"]["vision_layers"], list):
        seen["vision_layers"] = list(seen["vision_layers"])
    assert seen == reference["config"]


def test_build_copies_the_state_dict(small_clip):
    weights = {**small_clip.state_dict(), "input_resolution": 64, "context_length": torch.tensor(8), "vocab_size": 50}
    before = {key: torch.as_tensor(value).clone() for key, value in weights.items()}
    model = build_model(weights)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    assert list(weights) == list(before)
    assert all(torch.equal(torch.as_tensor(weights[key]), before[key]) for key in before)


def test_built_model_equals_its_origin(small_clip, small_inputs):
    model = build_model(small_clip.state_dict())
    assert not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    with torch.no_grad():
        for ours, origin in zip(model(*small_inputs), small_clip(*small_inputs), strict=True):
            assert torch.equal(ours, origin)


def test_batch_counts_may_be_absent(small_clip):
    weights = {k: v for k, v in small_clip.state_dict().items() if not k.endswith("num_batches_tracked")}
    rebuilt = build_model(weights).state_dict()
    assert all(value == 0 for key, value in rebuilt.items() if key.endswith("num_batches_tracked"))
    assert list(rebuilt) == list(small_clip.state_dict())


def _without(key):
    return lambda weights: weights.pop(key)


def _with(key, *shape):
    return lambda weights: weights.update({key: torch.zeros(shape)})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without("ln_final.weight"), "ln_final.weight is missing"),
        (_without("text_projection"), "text_projection is missing"),
        (_without("transformer.resblocks.0.mlp.c_fc.bias"), "transformer.resblocks.0.mlp.c_fc.bias is missing"),
        (_with("fc.weight", 10, 10), "fc.weight is unknown"),
        (_with("ln_final.bias", 65), r"ln_final.bias has the shape \(65,\), expected \(64,\)"),
        (_with("visual.conv1.weight", 3), "visual.conv1.weight has the shape"),
        (_with("token_embedding.weight"), "token_embedding.weight has the shape"),
        (_with("positional_embedding", 8, 32), "width 32"),
        (dict.clear, "neither visual.proj nor"),
    ],
)
def test_build_names_what_is_wrong(small_clip, spoil, message):
    weights = dict(small_clip.state_dict())
    spoil(weights)
    with pytest.raises(ValueError, match=message):
        build_model(weights)


def test_build_refuses_positions_that_are_no_square(small_clip):
    key = next(key for key in small_clip.state_dict() if key.startswith("visual.") and "positional" in key)
    weights = {**small_clip.state_dict(), key: torch.zeros(7, 64)}
    with pytest.raises(ValueError, match=f"{key} has 7 rows"):
        build_model(weights)


def test_wrong_sizes_are_refused(small_clip, small_inputs):
    images, tokens = small_inputs
    with pytest.raises(ValueError, match=r"\(N, 3, 64, 64\), not \(2, 3, 64, 63\)"):
        small_clip.encode_image(images[..., :63])
    with pytest.raises(ValueError, match=r"\(N, 8\), not \(3, 7\)"):
        small_clip.encode_text(tokens[:, :7])


def test_half_precision(small_clip, small_inputs):
    images, tokens = small_inputs
    with torch.no_grad():
        full = small_clip.encode_image(images), small_clip.encode_text(tokens)
        small_clip.half()
        assert small_clip.dtype == torch.float16
        half = small_clip.encode_image(images), small_clip.encode_text(tokens)
    for ours, reference in zip(half, full, strict=True):
        assert ours.dtype == torch.float16
        assert_close(ours.float(), reference.numpy(), 1e-2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_layer_norm_keeps_the_precision_of_its_input(dtype, monkeypatch):
    computed_in = []
    layer_norm = torch.nn.functional.layer_norm
    monkeypatch.setattr(
        torch.nn.functional, "layer_norm", lambda x, *rest: computed_in.append(x.dtype) or layer_norm(x, *rest)
    )
    x = torch.linspace(-1, 2, 64).to(dtype)
    out = LayerNorm(64).to(dtype)(x)
    assert out.dtype == dtype
    assert computed_in == [torch.float64 if dtype == torch.float64 else torch.float32]
