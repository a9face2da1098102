"""The enhancer alone: from a folder to images of any size."""

import numpy as np
import pytest
import torch
from PIL import Image

from golden_weights import golden_arrays
from models.enhancer import Enhancer
from models.inference.runner import Inference
from models.networks.generators import GENERATORS
from models.networks.layers import NORMS
from options.test_options import TestOptions
from sample_images import camera_exif, colour_profile, enhancer_folder, levels, photograph, save_deep_png
from util.errors import WorkError


def stored_options(**values):
    opt = TestOptions().parse(["--dataroot", "d", "--name", "n", "--ngf", "16"])
    vars(opt).update({"nrn_coords": "absolute", "ablate": [], **values})
    return opt


KINDS = [(netG, norm, False) for netG in GENERATORS for norm in NORMS] + [
    ("resnet_9blocks", norm, True) for norm in NORMS
]


@pytest.mark.parametrize("netG, norm, dropout", KINDS)
def test_a_folder_without_options_is_read_off_its_weights(tmp_path, netG, norm, dropout):
    shape = {"ngf": 20, "netG": netG, "norm": norm, "dropout": dropout}
    original = enhancer_folder(tmp_path, nrn_coords="cancelled", **shape)
    restored = Enhancer.from_checkpoint(tmp_path, device="cpu")
    assert restored.options == {**shape, "nrn_coords": "cancelled", "ablate": []}
    assert not restored.training
    side = original.smallest
    x = torch.rand(1, 3, side, side) * 2 - 1
    with torch.inference_mode():
        assert torch.equal(restored(x), original(x))


def test_stored_options_are_followed(tmp_path):
    original = enhancer_folder(tmp_path, stored_options(), nrn_coords="absolute")
    restored = Enhancer.from_checkpoint(tmp_path, device="cpu")
    assert restored.options["nrn_coords"] == "absolute"
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(restored(x), original(x))


def test_weights_that_contradict_the_options_are_refused(tmp_path):
    enhancer_folder(tmp_path, stored_options(ngf=32))
    with pytest.raises(WorkError, match=r"latest_net_Pre\.pth: does not fit"):
        Enhancer.from_checkpoint(tmp_path, device="cpu")


def test_foreign_weights_are_refused(tmp_path):
    enhancer_folder(tmp_path)
    torch.save({"weight": torch.zeros(1)}, tmp_path / "latest_net_Pre.pth")
    with pytest.raises(WorkError, match="not NeRCo's"):
        Enhancer.from_checkpoint(tmp_path, device="cpu")


def test_golden_image(released_weights):
    golden = golden_arrays("nerco/full.npz")
    enhancer = Enhancer(nrn_coords="cancelled").eval()
    for net, network in enhancer.networks().items():
        network.load_state_dict(released_weights[net].state_dict())
    with torch.inference_mode():
        fake_b, pre_a, mask = enhancer(golden["real_A"], stages=True)
    for found, name in ((fake_b, "fake_B"), (pre_a, "pre_A"), (mask, "mask")):
        torch.testing.assert_close(found, golden[name], atol=1e-4, rtol=0)


@pytest.mark.parametrize("netG", ["resnet_9blocks", "unet_128"])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (7, 8), (8, 8), (13, 30), (31, 33)])
def test_any_size(netG, size):
    enhancer = Enhancer(16, netG=netG).eval().double()  # norms of very few values magnify rounding
    x = torch.rand(2, 3, *size, dtype=torch.float64) * 2 - 1
    with torch.inference_mode():
        y = enhancer(x)
        assert y.shape == x.shape and y.abs().max() <= 1
        # Each image of a batch is enhanced as if alone.
        torch.testing.assert_close(enhancer(x[1:]), y[1:], atol=1e-9, rtol=0)


def test_padding_is_what_the_networks_see():
    enhancer = Enhancer(16).eval()
    x = torch.rand(1, 3, 14, 12) * 2 - 1
    padded = torch.cat([x, x[:, :, [12, 11]]], dim=2)  # two rows, reflected
    with torch.inference_mode():
        assert torch.equal(enhancer(x), enhancer(padded)[:, :, :14])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "CMYK"])
def test_a_image_in_a_image_out(mode):
    image = photograph((21, 10)).convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(77)
    result = Enhancer(16).eval().enhance(image)
    assert result.size == (21, 10)
    assert result.mode == ("RGB" if mode == "CMYK" else mode)
    if mode in ("RGBA", "LA"):
        assert (levels(result)[..., -1] == 77).all()


@pytest.mark.parametrize("file", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_files_are_turned_and_keep_profile_and_exif(tmp_path, file):
    photograph((21, 10)).save(tmp_path / file, exif=camera_exif(orientation=6), icc_profile=colour_profile())
    enhancer = Enhancer(16).eval()
    results = [enhancer.enhance(source) for source in (tmp_path / file, str(tmp_path / file))]
    with Image.open(tmp_path / file) as image:
        results.append(enhancer.enhance(image))
    for result in results:
        assert result.size == (10, 21) and result.info["icc_profile"] == colour_profile()
        assert result.getexif()[0x010F] == "Maker" and 0x0112 not in result.getexif()
        assert np.array_equal(levels(result), levels(results[0]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2", np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_an_array_in_an_array_out(dtype, channels):
    rng, shape = np.random.default_rng(0), (10, 21) if channels is None else (10, 21, channels)
    highest = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    array = (rng.random(shape) * highest).astype(dtype)
    before, enhancer = array.copy(), Enhancer(16).eval()
    result = enhancer.enhance(array)
    assert result.dtype == array.dtype and result.shape == shape and np.array_equal(array, before)
    colours = array.reshape(10, 21, -1)[..., : 3 if channels in (3, 4) else 1].astype(np.float32) / highest
    low = torch.from_numpy(np.broadcast_to(colours, (10, 21, 3)).copy()).permute(2, 0, 1)
    expected = (Inference(enhancer)(low[None] * 2 - 1)[0][0].permute(1, 2, 0).numpy() + 1) / 2
    if channels not in (3, 4):
        expected = expected @ np.float32([[0.299], [0.587], [0.114]])
    found = result.reshape(10, 21, -1).astype(np.float64) / highest
    assert np.abs(found[..., : expected.shape[2]] - expected).max() <= {1: 0.51 / 255}.get(result.itemsize, 1e-3)
    if channels in (2, 4):
        assert np.array_equal(result[..., -1], array[..., -1])


def test_arrays_files_and_images_agree(tmp_path):
    enhancer, deep = Enhancer(16).eval(), np.random.default_rng(0).integers(0, 65536, (10, 21, 3), dtype=np.uint16)
    photograph((21, 10)).save(tmp_path / "a.png")
    result = levels(enhancer.enhance(tmp_path / "a.png"))
    assert np.array_equal(enhancer.enhance(np.asarray(Image.open(tmp_path / "a.png"))), result)
    save_deep_png(tmp_path / "deep.png", deep)
    assert np.abs(levels(enhancer.enhance(tmp_path / "deep.png")) - enhancer.enhance(deep) / 257).max() <= 0.51
    Image.fromarray(deep[:, :, 0]).save(tmp_path / "gray.png")
    gray = enhancer.enhance(tmp_path / "gray.png")
    assert gray.mode == "I;16" and np.array_equal(levels(gray), enhancer.enhance(deep[:, :, 0]))


@pytest.mark.parametrize(
    "image, error, told",
    [
        (None, TypeError, "takes a file, a PIL image or a numpy array, not NoneType"),
        (b"a.png", TypeError, "not bytes"),
        (torch.zeros(1, 3, 8, 8), TypeError, "not Tensor"),
        (np.zeros((8, 8, 3), np.int64), TypeError, "uint8, uint16, or floating from 0 to 1, not int64"),
        (np.zeros((8, 8), bool), TypeError, "not bool"),
        (np.zeros((1, 8, 8, 3), np.uint8), ValueError, r"not \(1, 8, 8, 3\)"),
        (np.zeros((8, 8, 5), np.uint8), ValueError, r"not \(8, 8, 5\)"),
        (np.zeros((0, 8, 3), np.uint8), ValueError, r"not \(0, 8, 3\)"),
        (np.full((8, 8, 3), 200.0), ValueError, "goes from 200 to 200: scale or clip it"),
        (np.full((8, 8, 3), np.nan), ValueError, "goes from nan to nan"),
        ("missing.png", WorkError, r"missing\.png: cannot read this image"),
    ],
)
def test_what_is_not_an_image_is_refused_in_one_line(image, error, told):
    with pytest.raises(error, match=told) as caught:
        Enhancer(16).eval().enhance(image)
    assert "\n" not in str(caught.value)


def test_an_image_that_pil_cannot_decode_is_named(tmp_path):
    photograph((64, 48)).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:700])
    with pytest.raises(WorkError, match=r"cut\.jpg: cannot read this image"):
        Enhancer(16).eval().enhance(Image.open(tmp_path / "cut.jpg"))


def test_double_precision():
    enhancer = Enhancer(16).eval()
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.inference_mode():
        single = enhancer(x)
        double = enhancer.double()(x.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, atol=1e-4, rtol=0)


def test_networks_that_do_not_fit(tmp_path, monkeypatch):
    enhancer_folder(tmp_path)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Enhancer, "to", full)
    with pytest.raises(WorkError, match=r"^out of memory: the networks do not fit on cuda"):
        Enhancer.from_checkpoint(tmp_path, device="cuda")
