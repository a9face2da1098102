"""What a run goes on from: states that do not fit, weights that are no numbers, disks that are full."""

import os

import pytest
import torch

from models.optim.finite_watch import check_weights
from sample_images import images_batch as pair
from small_model import small_model, step
from util.checkpoint import net_file, save_options, state_file
from util.errors import WorkError
from util.tensor_files import NotFinite

PROGRESS = {"epoch": 1, "seen": 2, "pictures": 2, "best": None}


def started(folder, *flags):
    """A model after a step, whose options are stored."""
    model = small_model(folder, *flags)
    model.setup(model.opt)
    step(model, pair(1))
    (folder / "run").mkdir(exist_ok=True)
    save_options(folder / "run", model.opt)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a run that was saved, and its state."""
    folder = tmp_path_factory.mktemp("saved")
    assert started(folder).save("latest", PROGRESS, also=["5"])
    return folder


@pytest.fixture(scope="module")
def going_on(saved):
    return small_model(saved, "--continue_train")


def drop(key):
    return lambda state: state.pop(key)


def optimizer(change):
    return lambda state: change(state["optimizers"][0]["state"][0], state["optimizers"][0]["param_groups"][0])


@pytest.mark.parametrize(
    "change, problem",
    [
        # The fused optimizer would read beyond these: a segmentation fault.
        (optimizer(lambda moments, group: moments.update(exp_avg=torch.zeros(3))), r"exp_avg of parameter 0 is \(3,\)"),
        (optimizer(lambda moments, group: moments.update(exp_avg_sq=1.0)), "exp_avg_sq of parameter 0 is float"),
        (optimizer(lambda moments, group: moments.update(step=3)), "step of parameter 0 is int"),
        (optimizer(lambda moments, group: moments.pop("exp_avg")), "of another kind"),
        (optimizer(lambda moments, group: group["params"].pop()), "parameters, not"),
        (optimizer(lambda moments, group: group.update(betas="xy")), "betas is 'x', not a number"),
        (optimizer(lambda moments, group: group.update(lr=None)), "lr is None, not a number"),
        (optimizer(lambda moments, group: moments.update(exp_avg=torch.eye(3).to_sparse())), "is a sparse tensor"),
        (lambda state: state["optimizers"].pop(), "it has 1 optimizers, not 2"),
        (drop("processes"), "there is no 'processes'"),
        (lambda state: state.update(processes=[]), "there is no 'processes'"),
        (drop("scaler"), "there is no 'scaler'"),
        (lambda state: state["schedules"][0].update(epoch="x"), "of another kind"),
        (lambda state: state["model"].update(total_sum=3), "of another kind"),
        (lambda state: state.update(progress={"epoch": "x"}), "its epoch is 'x'"),
        (lambda state: state.update(progress=None), "of another kind"),
        (lambda state: state["processes"][0]["pools"]["fake_B"].update(images=[torch.zeros(3)]), "than images"),
        (lambda state: state["processes"][0]["random"].update(torch=torch.zeros(3)), "of another kind"),
    ],
)
def test_a_state_that_does_not_fit_is_one_line(saved, going_on, change, problem):
    path = saved / "run" / state_file("latest")
    whole = path.read_bytes()
    state = torch.load(path)
    change(state)
    torch.save(state, path)
    try:
        with pytest.raises(WorkError, match=rf"latest_train_state\.pth: .*{problem}") as caught:
            going_on.setup(going_on.opt)
        assert "\n" not in str(caught.value)
    finally:
        path.write_bytes(whole)
    assert going_on.setup(going_on.opt) == PROGRESS


def test_a_pipe_for_a_state_is_one_line(saved, going_on):
    path = saved / "run" / state_file("latest")
    path.rename(path.with_suffix(".kept"))
    os.mkfifo(path)
    try:
        with pytest.raises(WorkError, match="is not a file"):
            going_on.setup(going_on.opt)
    finally:
        path.with_suffix(".kept").replace(path)


def test_saved_weights_that_are_nan_name_the_last_good_ones(saved, going_on):
    path = saved / "run" / net_file("latest", "D_B")
    whole = path.read_bytes()
    state = torch.load(path)
    key = list(state)[-1]
    state[key].fill_(float("nan"))
    torch.save(state, path)
    try:
        with pytest.raises(WorkError, match=rf"latest_net_D_B\.pth: {key} holds .*NaN or Inf.* --epoch 5$"):
            going_on.setup(going_on.opt)
    finally:
        path.write_bytes(whole)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    model = started(tmp_path, "--ema", "0.9")
    model.save("latest", PROGRESS)
    before = files(tmp_path / "run")
    with torch.no_grad():  # what the optimizer's last step may do, whose losses were still finite
        next(model.average.networks["H"].parameters()).fill_(float("inf"))
    for save in (lambda: model.save("latest", PROGRESS, also=["1"]), lambda: model.save_networks("best")):
        with pytest.raises(NotFinite, match=r"not finite numbers any more \(netH_ema .*--continue_train"):
            save()
    with pytest.raises(KeyError), model.rescuing({**PROGRESS, "pictures": 9}):
        raise KeyError
    assert files(tmp_path / "run") == before


def test_finite_weights_pass():
    network = torch.nn.BatchNorm2d(3)
    check_weights({"X": network})
    network.running_var[1] = float("nan")
    with pytest.raises(NotFinite, match="netX running_var"):
        check_weights({"X": network})


def test_what_cannot_be_saved_is_told_and_nothing_is_half_written(tmp_path, capsys, monkeypatch):
    model = started(tmp_path)
    assert model.save("latest", PROGRESS)
    before = files(tmp_path / "run")
    monkeypatch.setattr("util.tensor_files.torch.save", full_disk)
    assert not model.save("latest", PROGRESS, also=["1"])
    assert not model.save_networks("best")
    assert files(tmp_path / "run") == before
    for line, tag in zip(capsys.readouterr().out.splitlines(), ("1", "latest", "best"), strict=True):
        assert f"cannot write the files of '{tag}' (no space left on device); training goes on" in line
    monkeypatch.undo()
    assert model.save("latest", PROGRESS, also=["1"])


def full_disk(content, file):
    """``torch.save`` on a disk that is full: it says less than the system did."""
    try:
        raise OSError(28, "No space left on device")
    except OSError:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos")  # noqa: B904


def test_whatever_ends_a_run_saves_it_first(tmp_path, capsys):
    model, progress = started(tmp_path), dict(PROGRESS)
    with pytest.raises(RuntimeError, match="the end"), model.rescuing(progress):
        progress["pictures"] = 3
        raise RuntimeError("the end")
    assert "saved after 3 images" in capsys.readouterr().out
    assert torch.load(tmp_path / "run" / state_file("latest"))["progress"]["pictures"] == 3
    before = files(tmp_path / "run")
    with pytest.raises(RuntimeError), model.rescuing(progress):
        raise RuntimeError("nothing was trained since")
    with pytest.raises(NotFinite), model.rescuing({**progress, "pictures": 4}):
        raise NotFinite("a loss is not")
    assert files(tmp_path / "run") == before


def test_nothing_is_saved_before_the_first_step(tmp_path):
    model = started(tmp_path)
    with pytest.raises(RuntimeError), model.rescuing({**PROGRESS, "pictures": 0}):
        raise RuntimeError
    assert not list((tmp_path / "run").glob("*.pth"))


def test_a_run_goes_on_from_what_there_is(tmp_path, capsys):
    model = started(tmp_path)
    model.save_networks("best")  # killed between the first validation and the first save
    model = small_model(tmp_path, "--continue_train")
    assert model.setup(model.opt) is None
    assert "there are no latest weights: going on from those of best" in capsys.readouterr().out
    model.save("iter_40", PROGRESS)
    model = small_model(tmp_path, "--continue_train")
    assert model.setup(model.opt) == PROGRESS
    assert "going on from those of iter_40" in capsys.readouterr().out
    with pytest.raises(WorkError, match="--epoch can be best, iter_40"):
        model = small_model(tmp_path, "--continue_train", "--epoch", "latest")
        model.setup(model.opt)


def test_a_lower_rate_helps_with_any_policy(tmp_path):
    started(tmp_path, "--lr_policy", "plateau").save("latest", PROGRESS)
    for flags, rate in (((), 2e-4), (("--lr", "1e-5"), 1e-5)):
        model = small_model(tmp_path, "--continue_train", *flags)
        model.setup(model.opt)
        assert model.learning_rate() == rate
