"""Results become files of every format, and other programs read the same pixels, profiles and EXIF back."""

import resource

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from sample_images import camera_exif, colour_profile, levels, photograph
from util.errors import WorkError
from util.image_io.encoders import write_png
from util.image_io.metadata import Metadata
from util.image_io.reading import open_image, read_image
from util.image_io.tensors import to_tensor
from util.image_io.writing import result_image, write_image

LOSSLESS = ["a.png", "a.tif", "a.tiff", "a.webp"]


def random_tensor(channels=3, height=7, width=9, depth=16):
    """Values that are 8- or 16-bit levels exactly, and those levels (H, W, C)."""
    highest = 2**depth - 1
    exact = np.random.default_rng(0).integers(0, highest + 1, (height, width, channels))
    return torch.from_numpy((exact / highest * 2 - 1).astype(np.float32)).permute(2, 0, 1), exact


def random_alpha(height=7, width=9):
    levels = np.random.default_rng(1).integers(0, 256, (height, width), dtype=np.uint8)
    levels[0] = 0
    return Image.fromarray(levels)


def read_deep(path):
    """16-bit levels (H, W, C), read by none of the project's code."""
    if path.suffix != ".png":
        return tifffile.imread(path)
    torchvision_io = pytest.importorskip("torchvision.io")
    tensor = torchvision_io.decode_image(str(path), torchvision_io.ImageReadMode.UNCHANGED)
    assert tensor.dtype == torch.uint16
    return tensor.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("file", [*LOSSLESS, "a.PNG"])
def test_eight_bits_come_back(tmp_path, file):
    values, exact = random_tensor(depth=8)
    assert write_image(tmp_path / file, values, quality=100).size == (9, 7)
    image = Image.open(tmp_path / file)
    assert image.mode == "RGB" and np.array_equal(levels(image), exact)
    assert [path.name for path in tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("file", LOSSLESS)
def test_alpha_comes_back(tmp_path, file):
    values, exact = random_tensor(depth=8)
    write_image(tmp_path / file, values, quality=100, alpha=random_alpha())
    assert np.array_equal(levels(Image.open(tmp_path / file)), np.dstack([exact, levels(random_alpha())]))


@pytest.mark.parametrize("file", ["a.png", "a.tif"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [None, random_alpha()])
@pytest.mark.parametrize("strip", [2**18, 20])
@pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")
def test_sixteen_bits_come_back(tmp_path, monkeypatch, file, channels, alpha, strip):
    monkeypatch.setattr("util.image_io.tensors._STRIP", strip)
    values, exact = random_tensor(channels)
    assert write_image(tmp_path / file, values, deep=True, alpha=alpha).size == (9, 7)
    if file == "a.tif" and alpha is not None:
        exact = np.broadcast_to(exact, (7, 9, 3))  # gray with alpha, PIL would not open
    expected = exact if alpha is None else np.dstack([exact, levels(alpha) * 257])
    saved = read_deep(tmp_path / file)
    assert np.array_equal(saved.reshape(expected.shape), expected)
    assert open_image(tmp_path / file).size == (9, 7)


def test_sixteen_bits_in_sixteen_bits_out(tmp_path):
    values, exact = random_tensor()
    for file in ("a.png", "a.tif"):
        write_image(tmp_path / file, values, deep=True)
        assert torch.equal(
            read_image(tmp_path / file).pixels, (torch.tensor(exact).float() / 65535 * 2 - 1).permute(2, 0, 1)
        )


def test_levels_are_rounded_and_clipped(tmp_path):
    step = 2 / 65535
    values = torch.tensor([-7, -1, -1 + 0.4 * step, -1 + 0.6 * step, 1 - 0.6 * step, 1, 7]).expand(3, 1, -1)
    write_image(tmp_path / "a.tif", values, deep=True)
    assert tifffile.imread(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 0, 0, 1, 65534, 65535, 65535]


@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
def test_other_floating_types(tmp_path, kind):
    values = torch.tensor([-1, 0.25, 1], dtype=kind).expand(3, 1, -1).requires_grad_()
    for deep in (False, True):
        write_image(tmp_path / "a.tif", values, deep=deep, aspect_ratio=2)
        assert tifffile.imread(tmp_path / "a.tif").shape == (1, 6, 3)


@pytest.mark.parametrize("file", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_gray(tmp_path, file):
    values, exact = random_tensor(1, depth=8)
    write_image(tmp_path / file, values, metadata=Metadata(icc=colour_profile()), quality=100)
    image = Image.open(tmp_path / file)
    assert "icc_profile" not in image.info
    assert np.abs(levels(image.convert("L")) - exact[:, :, 0]).max() <= (2 if file == "a.jpg" else 0)


@pytest.mark.parametrize("file", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("alpha", [None, random_alpha()])
def test_a_tint_of_gray_is_not_written(tmp_path, file, deep, alpha):
    values, exact = random_tensor(3)
    expected = (exact @ [0.299, 0.587, 0.114]) / 257
    written = write_image(tmp_path / file, values, gray=True, deep=deep, alpha=alpha, quality=100)
    in_memory = result_image(values, gray=True, deep=deep, alpha=alpha)
    image = Image.open(tmp_path / file)
    gray = levels(read_image(tmp_path / file).pixels) if not deep else levels(open_image(tmp_path / file))
    for found in (gray[..., 0], levels(written)[..., 0]):
        assert np.abs(found - expected).max() <= (3 if file == "a.jpg" else 1)
    assert (gray[..., 0] == gray[..., 1]).all() and (gray[..., 0] == gray[..., 2]).all()
    if alpha is None:
        assert image.mode in (("I;16", "I") if deep and file != "a.jpg" else ("L",))
        assert in_memory.mode == ("I;16" if deep else "L")
    else:
        assert in_memory.mode == "LA"


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("file", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_profile_and_exif_are_kept(tmp_path, file, deep):
    photograph((20, 12)).save(tmp_path / "in.jpg", exif=camera_exif(), icc_profile=colour_profile())
    photo = read_image(tmp_path / "in.jpg")
    write_image(tmp_path / file, photo.colours(), metadata=photo.metadata, deep=deep)
    saved = Image.open(tmp_path / file)
    assert saved.size == (12, 20) and saved.info["icc_profile"] == colour_profile()
    exif = saved.getexif()
    assert exif[0x010F] == "Maker" and 0x0112 not in exif
    assert exif.get_ifd(0x8769) == {0x829A: (1, 50), 0x927C: b"notes of the maker"}
    assert exif.get_ifd(0x8825)[2] == (47, 22, 5)
    if file != "a.tif":
        assert saved.info["exif"].removeprefix(b"Exif\0\0") == photo.metadata.exif.removeprefix(b"Exif\0\0")
    assert read_image(tmp_path / file).metadata.exif is not None  # once more around


@pytest.mark.parametrize("exif", [b"no EXIF", b"Exif\0\0II*\0\xff\0\0\0"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Truncated File")
def test_damaged_exif_does_not_spoil_a_tiff(tmp_path, exif):
    values, exact = random_tensor(depth=8)
    write_image(tmp_path / "a.tif", values, metadata=Metadata(exif=exif))
    assert np.array_equal(levels(Image.open(tmp_path / "a.tif")), exact)


def test_exif_too_long_for_jpeg_is_left_out(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    for length, kept in ((100, True), (70000, False)):
        exif[0x010E] = "x" * length
        write_image(tmp_path / "a.jpg", random_tensor()[0], metadata=Metadata(exif=exif.tobytes()))
        assert (0x010F in Image.open(tmp_path / "a.jpg").getexif()) == kept


@pytest.mark.parametrize("file", ["a.jpg", "a.webp"])
def test_quality_decides_over_size_and_closeness(tmp_path, file):
    image = photograph((120, 80))
    sizes, errors = [], []
    for quality in (20, 70, 95):
        write_image(tmp_path / file, to_tensor(image), quality=quality)
        sizes.append((tmp_path / file).stat().st_size)
        errors.append(np.abs(levels(Image.open(tmp_path / file)) - levels(image)).mean())
    assert sizes == sorted(set(sizes)) and errors == sorted(set(errors), reverse=True)
    assert errors[-1] < 5


@pytest.mark.parametrize("quality, sampling", [(89, (2, 2)), (90, (1, 1))])
def test_good_jpegs_keep_every_colour(tmp_path, quality, sampling):
    write_image(tmp_path / "a.jpeg", random_tensor()[0], quality=quality, alpha=random_alpha())
    image = Image.open(tmp_path / "a.jpeg")
    assert image.mode == "RGB"
    assert image.layer[0][1:3] == sampling  # of the brightness, relative to the colours


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("ratio, size", [(1.5, (14, 7)), (0.5, (9, 14))])
def test_stretched(tmp_path, deep, ratio, size):
    values = torch.linspace(-1, 1, 63).reshape(1, 7, 9).expand(3, -1, -1)
    assert write_image(tmp_path / "a.tif", values, deep=deep, aspect_ratio=ratio, alpha=random_alpha()).size == size
    saved = tifffile.imread(tmp_path / "a.tif")
    assert saved.shape == (*size[::-1], 4) and saved.dtype == (np.uint16 if deep else np.uint8)
    assert len(np.unique(saved[..., 0])) == len(np.unique(saved[..., 1])) > 60


@pytest.mark.parametrize("file, longest", [("a.jpg", 65500), ("a.webp", 16383)])
def test_too_long_for_the_format(tmp_path, file, longest):
    assert write_image(tmp_path / file, torch.zeros(1, 1, longest)).size == (longest, 1)
    whole = (tmp_path / file).read_bytes()
    for values, ratio in ((torch.zeros(1, longest + 1, 1), 1), (torch.zeros(1, 1, longest), 1.01)):
        with pytest.raises(WorkError, match=f"have {longest} at most; save it as png"):
            write_image(tmp_path / file, values, aspect_ratio=ratio)
    assert (tmp_path / file).read_bytes() == whole
    assert write_image(tmp_path / "a.png", torch.zeros(1, longest + 1, 1)).size == (1, longest + 1)


@pytest.mark.parametrize("file", ["a.png", "a.jpg", "a.webp", "a.tif"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_failing_write_leaves_the_old_file(tmp_path, file, deep):
    (tmp_path / file).write_text("old")

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # bytes: as if the disk were full
    try:
        with pytest.raises(WorkError, match=f"{file}: cannot write this file") as caught:
            write_image(tmp_path / file, random_tensor(3, 60, 50)[0], deep=deep, quality=100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(caught.value)
    assert (tmp_path / file).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("file", ["a.png", "a.tif"])
@pytest.mark.parametrize("deep", [False, True])
def test_no_folder_is_one_line(tmp_path, file, deep):
    with pytest.raises(WorkError, match="cannot write this file") as caught:
        write_image(tmp_path / "missing" / file, random_tensor()[0], deep=deep)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", LOSSLESS)
@pytest.mark.parametrize("ratio", [1, 1.5])
def test_the_image_as_written_is_returned(tmp_path, file, ratio):
    values, _ = random_tensor(depth=8)
    written = write_image(tmp_path / file, values, quality=100, aspect_ratio=ratio, alpha=random_alpha())
    assert np.array_equal(levels(written), levels(Image.open(tmp_path / file)))
    deep = write_image(tmp_path / "deep.tif", values, deep=True, aspect_ratio=ratio, alpha=random_alpha())
    assert np.abs(levels(deep) - tifffile.imread(tmp_path / "deep.tif") / 257).max() <= 0.5 + 1 / 257


def test_a_smooth_image_is_compressed(tmp_path):
    ramp = torch.linspace(-1, 1, 256 * 64).reshape(1, 64, 256).expand(3, -1, -1)
    for file in ("a.png", "a.tif"):
        write_image(tmp_path / file, ramp, deep=True)
        assert (tmp_path / file).stat().st_size < 64 * 256 * 6 / 4


def test_the_rows_of_a_deep_png_do_not_depend_on_its_strips(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (6, 5, 3), dtype=np.uint16)
    for file, strips in (("a", [values]), ("b", [values[:1], values[1:4], values[4:]])):
        write_png(tmp_path / file, values.shape, strips, Metadata(), 16)
    pixels = [levels(Image.open(tmp_path / file)) for file in ("a", "b")]
    assert np.array_equal(*pixels) and np.array_equal(pixels[0], values >> 8)
