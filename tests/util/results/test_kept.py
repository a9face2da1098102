"""Which results a later run keeps, and what becomes of those that it cannot write or that are removed meanwhile."""

import errno
import json
import shutil
import time

import pytest
import torch
from torch import nn

from data import create_dataset
from options.test_options import TestOptions
from sample_images import camera_exif, levels, photograph, save_deep_png
from util.errors import WorkError
from util.image_io.finding import results_folder
from util.image_io.references import References
from util.metrics.measurement import Measurement
from util.results.kept import weights_hash
from util.results.results import Results


def start(dataroot, *flags, weights="of epoch 1"):
    """The images and the results of a run of test.py that has not begun yet."""
    flags = ["--dataroot", dataroot, "--name", "n", "--results_dir", "results", "--num_threads", 1, *flags]
    opt = TestOptions().parse(list(map(str, flags)))
    images = create_dataset(opt)
    references = References(opt.reference, images.paths, images.root) if opt.reference else None
    return images, Results(opt, results_folder(opt), images, Measurement(references, opt.gt_mean), weights)


def enhance(dataroot, *flags, each=lambda: None, **weights):
    """A run whose networks make an image brighter; what was made anew, the results, and the lists of ``finish``."""
    images, results = start(dataroot, *flags, **weights)
    missing = results.missing()
    for sample in images.samples(missing):
        low = sample["A"][0]
        results.add(sample, {"fake_B": low / 2 + 0.5, "pre_A": low, "mask": low[:1]}, lambda: 0.1)
        each()
    problems = results.finish("title", {}, 100)
    return [images.names[index] for index in missing], results, problems


def again(*arguments, **settings):
    """What a run with --skip_existing makes anew."""
    return enhance(*arguments, "--skip_existing", **settings)[0]


def pictures():
    folder = results_folder(TestOptions().parse(["--dataroot", "low", "--name", "n", "--results_dir", "results"]))
    return {one["name"]: one for one in json.loads((folder / "metrics.json").read_text())["pictures"]}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "low").mkdir()
    for name, brightness in (("a", 0.2), ("b", 0.3)):
        photograph((20, 16), brightness=brightness).save(tmp_path / "low" / f"{name}.png")
    return tmp_path


@pytest.fixture
def done(place):
    """The folder of the results of a run."""
    return enhance("low")[1].folder


def test_the_same_again_is_kept(place):
    (place / "high").mkdir()
    for name in "ab":
        photograph((20, 16)).save(place / "high" / f"{name}.png")
    images = enhance("low", "--reference", "high")[1].files.folder
    written = [path.stat().st_mtime_ns for path in images.iterdir()]
    before = pictures()
    for low in ("low", place / "low"):  # from elsewhere, the same files have other names
        made, results, problems = enhance(low, "--skip_existing", "--reference", "high")
        assert made == [] and results.notices == ["kept: 2 of 2 results"] and problems == ([], [], [])
        assert [path.stat().st_mtime_ns for path in images.iterdir()] == written
        assert pictures() == {name: {**one, "file": f"{low}/{name}.png"} for name, one in before.items()}
    assert again(place / "low", "--reference", "high", "--gt_mean") == []
    assert all("psnr_gt_mean" in one["metrics"] for one in pictures().values())


@pytest.mark.parametrize(
    "flags",
    [
        ["--strength", "0.5"],
        ["--aspect_ratio", "2"],
        ["--amp", "bf16"],
        ["--preprocess", "crop", "--crop_size", "8"],
        ["--output_format", "webp"],
        ["--save_stages"],
    ],
)
def test_other_settings_make_it_anew(done, flags):
    assert again("low", *flags) == ["a", "b"]
    assert again("low", *flags) == []


def test_settings_that_do_not_matter_keep_it(done):
    assert again("low", "--crop_size", "8", "--quality", "50", "--tile", "16", "--display_winsize", "64") == []
    assert again("low", "--output_format", "jpg") == ["a", "b"]
    assert again("low", "--output_format", "jpg", "--quality", "50") == ["a", "b"]


def test_other_weights_make_it_anew(done):
    made, results, _ = enhance("low", "--skip_existing", weights="of epoch 2")
    assert made == ["a", "b"]
    told = "made anew: 2 of an earlier run's results; source, weights or settings differ, or a file is missing"
    assert results.notices == [told]


def test_a_hash_of_weights():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    first = weights_hash(network)
    assert weights_hash(network.to(memory_format=torch.channels_last)) == first
    with torch.no_grad():
        network[0].bias[1] += 1e-6
    assert weights_hash(network) != first
    assert weights_hash(network.bfloat16()) != first


def test_another_source_makes_it_anew(done, place):
    photograph((20, 16), brightness=0.9).save(place / "low" / "b.png")
    assert again("low") == ["b"]
    assert again("low") == []
    before = pictures()["a"]
    shutil.copytree(place / "low", place / "site2")  # the names, sizes and times of before
    assert again("site2") == ["a", "b"]
    assert pictures()["a"] == before | {"file": "site2/a.png", "seconds": 0.1}


def test_what_is_missing_is_made_anew(done):
    (done / "images" / "a_fake_B.png").unlink()
    assert again("low") == ["a"]
    first, second = (done / "records.jsonl").read_text().splitlines()
    second = second.replace('"metrics": {', '"metrics": [], "m": {')
    (done / "records.jsonl").write_text(f'{{}}\n{{"name": [], "made": null}}\n{first}\n{second}\n{{"name": "b", ')
    assert again("low") == [json.loads(second)["name"]]


def test_killed_before_the_record_it_is_made_anew(done):
    images, results = start("low", "--skip_existing", "--strength", "0.5")
    sample = images.read(results.missing()[0])
    results.files.write(sample, {"fake_B": sample["A"][0]})
    assert again("low") == ["a", "b"]


def without_facts(folder):
    """Records as a former version wrote them."""
    journal = folder / "records.jsonl"
    records = map(json.loads, journal.read_text().splitlines())
    journal.write_text("".join(json.dumps({k: v for k, v in r.items() if k != "made"}) + "\n" for r in records))


def test_results_of_a_former_version(done, place):
    without_facts(done)
    for _ in range(2):
        made, results, _ = enhance("low", "--skip_existing", weights="others, for all that is known")
        assert made == []
        unknown = "by which weights and settings 2 were made, a former version did not record"
        assert results.notices == [f"kept: 2 of 2 results; {unknown}"]
    photograph((20, 16)).save(place / "low" / "b.png")
    assert again("low") == ["b"]
    without_facts(done)
    (place / "low").rename(place / "elsewhere")
    assert again("elsewhere") == ["a", "b"]


def test_leftovers_are_named(done, place):
    (place / "other").mkdir()
    photograph((20, 16)).save(place / "other" / "c.png")
    for flags in ([], ["--skip_existing"]):
        _, results, _ = enhance("other", *flags)
        others = f"2 of other images or formats, such as a_fake_B.png in {done / 'images'}"
        assert results.notices[-1:] == [f"not of this run, and not on its page: {others}"]
    assert list(pictures()) == ["c"]
    assert again("low") == ["a", "b"]  # their records went with the run that had no --skip_existing
    assert again("other") == []


def test_stages_of_an_earlier_run_are_not_shown(place):
    page = enhance("low", "--save_stages")[1].folder / "index.html"
    assert page.read_text().count("_mask.png") == 4  # image and link
    assert again("low") == [] and page.read_text().count("_mask.png") == 4
    enhance("low")
    assert "_mask.png" not in page.read_text()
    assert again("low", "--save_stages") == ["a", "b"]


def test_kept_results_are_measured_against_the_references_of_now(place):
    (place / "high").mkdir()
    for name, brightness in (("normal_a", 1), ("b", 0.9)):
        photograph((20, 16), brightness=brightness).save(place / "high" / f"{name}.png")
    enhance("low", "--reference", "high")
    first = {name: one["metrics"]["psnr"] for name, one in pictures().items()}
    photograph((20, 16), brightness=0.5).save(place / "high" / "b.png")
    assert again("low", "--reference", "high") == []
    second = {name: one["metrics"]["psnr"] for name, one in pictures().items()}
    assert second["a"] == first["a"] and abs(second["b"] - first["b"]) > 1
    (place / "high" / "b.png").unlink()
    made, _, (_, unmeasured, _) = enhance("low", "--reference", "high", "--skip_existing")
    assert made == [] and unmeasured == ["low/b.png: no reference of this name in high"]
    assert "psnr" not in pictures()["b"]["metrics"]
    page = (place / "results" / "n" / "test_latest" / "index.html").read_text()
    assert "mean PSNR ↑ over 1 of 2" in page and "mean LOE ↓<" in page


@pytest.mark.parametrize("kind", ["png", "tiff", "jpg", "webp"])
def test_kept_results_have_the_figures_of_new_ones(place, kind):
    (place / "high").mkdir()
    for name in "ab":
        photograph((20, 16)).save(place / "high" / f"{name}.png")
    save_deep_png(place / "low" / "b.png", levels(photograph((20, 16), brightness=0.3)) * 257 + 200)
    flags = ["low", "--reference", "high", "--output_format", kind, "--quality", "40"]
    enhance(*flags)
    first = {name: one["metrics"]["psnr"] for name, one in pictures().items()}
    assert again(*flags, "--gt_mean") == []
    assert {name: one["metrics"]["psnr"] for name, one in pictures().items()} == first


def test_results_that_are_removed_meanwhile(place):
    images = place / "results" / "n" / "test_latest" / "images"
    photograph((20, 16)).save(place / "low" / "c.png")
    calls = []

    def remove_once():
        calls.append(1)
        if len(calls) == 2:
            while not (images / "b_fake_B.png").exists():
                time.sleep(0.01)
            shutil.rmtree(place / "results")

    _, _, (failed, unmeasured, unwritten) = enhance("low", each=remove_once)
    assert failed == [f"low/{name}.png: something removed its result; run this again" for name in "ab"]
    assert unmeasured == unwritten == [] and list(pictures()) == ["c"]
    assert again("low") == ["a", "b"]


def test_a_full_disk_ends_the_run_in_one_line(place, monkeypatch):
    def fail(*arguments, **settings):
        raise WorkError("cannot write this file") from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("util.results.image_files.write_image", fail)
    images, results = start("low")
    results.missing()
    with pytest.raises(WorkError, match=r"results/n/test_latest: the disk is full; free some of it, then go on with"):
        for _ in range(1000):
            results.add(images.read(0), {"fake_B": torch.zeros(3, 16, 20)}, lambda: 0.1)
    failed, _, _ = results.finish("title", {}, 100)
    assert failed == ["cannot write this file"]


def test_what_cannot_be_written_beside_the_images_is_told(place, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    def refuse(folder, *arguments):
        raise WorkError(f"{folder}/metrics.csv: cannot write this file")

    monkeypatch.setattr("util.results.results.append_record", fail)
    monkeypatch.setattr("util.results.results.write_tables", refuse)
    _, results, (failed, unmeasured, unwritten) = enhance("low")
    assert failed == unmeasured == []
    journal = "records.jsonl: --skip_existing will not keep all of these results (No space left on device)"
    assert unwritten == [f"results/n/test_latest/{one}" for one in (journal, "metrics.csv: cannot write this file")]
    assert (results.folder / "index.html").exists()


def test_inputs_that_browsers_show_are_copied_as_they_are(place):
    low, image = place / "low", photograph((20, 16), brightness=0.3)
    image.save(low / "c.JPEG")
    image.save(low / "turned.jpg", exif=camera_exif(orientation=6))
    image.save(low / "d.bmp")
    image.convert("CMYK").save(low / "print.jpg")
    flags = ["low", "--output_format", "webp"]
    images = enhance(*flags)[1].files.folder
    inputs = {path.name for path in images.glob("*_real_A.*")}
    written = {f"{name}_real_A.webp" for name in ("d", "turned", "print")}
    assert inputs == {"a_real_A.png", "b_real_A.png", "c_real_A.jpg", *written}
    for file, copy in (("a.png", "a_real_A.png"), ("c.JPEG", "c_real_A.jpg")):
        assert (images / copy).read_bytes() == (low / file).read_bytes()
        assert not (images / copy).samefile(low / file)
    page = (images.parent / "index.html").read_text()
    assert all(f'src="images/{name}"' in page for name in inputs)
    assert again(*flags) == []
    assert again(*flags, "--aspect_ratio", "2") == ["a", "b", "c", "d", "print", "turned"]
    (images / "c_real_A.jpg").unlink()
    assert again(*flags) == ["a", "b", "c", "d", "print", "turned"]
