"""Which reference belongs to which image."""

import re

import pytest

from sample_images import photograph
from util.errors import WorkError
from util.image_io.references import References

IMAGE = photograph((12, 8))


@pytest.fixture
def place(tmp_path):
    """Makes images; gives the references of those in low, {path below low: path below high, or what is wrong}."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            IMAGE.save(tmp_path / name)

    def pairs(images, references):
        make(*(f"low/{name}" for name in images), *(f"high/{name}" for name in references))
        low, high = tmp_path / "low", tmp_path / "high"
        found = References(high, [low / name for name in images], low)

        def of(name):
            try:
                return str(found.of(low / name).relative_to(high))
            except WorkError as error:
                assert str(error).startswith(f"{low / name}: ") and "\n" not in str(error)
                return str(error).partition(": ")[2].replace(f"{tmp_path}/", "")

        return {name: of(name) for name in images}

    pairs.make, pairs.folder = make, tmp_path
    return pairs


def test_the_path_goes_before_the_end_of_the_path_and_that_before_the_name(place):
    images = ["one/x/a.jpg", "two/x/a.jpg", "three/a.jpg", "b.v2.png"]
    references = ["one/x/a.png", "x/a.tif", "a.jpeg", "b.v2.tif", "deep/b.v2.png"]
    assert place(images, references) == dict(zip(images, references, strict=False))


@pytest.mark.parametrize(
    "image, reference",
    [
        ("low00705.png", "normal00705.png"),  # LOL v2
        ("Low00705.png", "Normal00705.jpg"),
        ("low_1.png", "high_1.png"),
        ("1_low.png", "1_high.png"),
        ("1-low.png", "high 1.png"),
        ("1low.png", "1normal.png"),
        ("input_7.png", "gt_7.png"),
        ("7_input.png", "7_gt.png"),
        ("7.png", "7_gt.png"),
        ("low7.png", "7.png"),
        ("scene/low.png", "scene/high.png"),
        ("input.png", "GT.png"),
        ("IMG_1.JPG", "img_1.png"),
        ("caf\u00e9.png", "cafe\u0301.png"),  # the same letter, composed and not
    ],
)
def test_names_of_data_sets(place, image, reference):
    assert place([image, "other.png"], [reference, "another.png"]) == {
        image: reference,
        "other.png": "no reference of this name in high",
    }


@pytest.mark.parametrize(
    "image, reference",
    [
        ("slow1.png", "shigh1.png"),
        ("lowland.png", "highland.png"),
        ("low1.png", "normal01.png"),
        ("high1.png", "low1.png"),
        ("low1.png", "deep/normal1.png"),
        ("low_low_1.png", "high_1.png"),
        ("a.png", "deep/a.png"),
    ],
)
def test_what_only_looks_alike_is_no_pair(place, image, reference):
    assert place([image], [reference]) == {image: "no reference of this name in high"}


def test_an_exact_name_goes_before_one_of_data_sets(place):
    assert place(["1.png", "low2.png"], ["1.png", "1_gt.png", "low2.jpg"]) == {"1.png": "1.png", "low2.png": "low2.jpg"}


@pytest.mark.parametrize(
    "image, references",
    [
        ("a.png", ["a.bmp", "a.png"]),
        ("low1.png", ["1_high.png", "normal1.png"]),
        ("low1.png", ["low1.png", "normal1.png"]),  # the first is the dark image, for all that is known
    ],
)
def test_several_that_fit_are_refused(place, image, references):
    found = place([image], references)[image]
    assert found.startswith("several references of this name: ") and found.endswith("; keep one")
    assert set(re.findall(r"high/(\S+?)(?:;| and|$)", found)) == set(references)


def test_one_that_fits_several_is_refused(place):
    told = "high/1.png fits other images, too; give the references the images' paths"
    assert place(["a/1.png", "b/1.png"], ["1.png"]) == {"a/1.png": told, "b/1.png": told}
    assert place(["1.png", "a/1.png", "low1.png"], ["1.png"]) == {"1.png": "1.png", "a/1.png": told, "low1.png": told}


def test_one_file_is_the_reference_of_one_image(place):
    place.make("any.png", "other.png")
    image, other = place.folder / "any.png", place.folder / "other.png"
    assert References(other, [image], place.folder).open(image, (12, 8)).size == (12, 8)
    with pytest.raises(WorkError, match=r"other.png: is one file, but there are 2 images; name a folder"):
        References(other, [image, image], place.folder)


def test_an_image_is_not_its_own_reference(place):
    place.make("all/low1.png", "all/normal1.png", "all/low/2.png", "all/high/2.png")
    root, image = place.folder / "all", place.folder / "all" / "low1.png"
    (place.folder / "link.png").symlink_to(image)
    for same in (image, place.folder / "link.png"):
        with pytest.raises(WorkError, match="holds no other images than those to measure"):
            References(same, [image], root)
    with pytest.raises(WorkError, match="holds no other images than those to measure"):
        References(root / "low", [root / "low" / "2.png"], root / "low")
    assert References(root, [image], root).of(image) == root / "normal1.png"
    with pytest.raises(WorkError, match="no reference of this name"):  # what lies in the folder of images is none
        References(root, [root / "low" / "2.png"], root / "low").of(root / "low" / "2.png")


def test_what_is_wrong_with_the_folder(place):
    with pytest.raises(WorkError, match="no such folder"):
        References(place.folder / "nowhere", [], place.folder)
    (place.folder / "empty").mkdir()
    with pytest.raises(WorkError, match="no images"):
        References(place.folder / "empty", [], place.folder)


def test_a_reference_of_another_size(place):
    place.make("low/a.png", "high/a.png")
    references = References(place.folder / "high", [place.folder / "low" / "a.png"], place.folder / "low")
    with pytest.raises(WorkError, match=r"high/a\.png: 12x8, the image is 8x12; not compared"):
        references.open(place.folder / "low" / "a.png", (8, 12))
