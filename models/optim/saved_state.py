"""Whether what a file holds of a run fits it: looked at before it is loaded, as PyTorch itself does not."""

import torch


def check_optimizer(optimizer, state):
    """Raise ValueError unless a saved state is that of an Adam over parameters of the same shapes.

    PyTorch loads any shapes; the fused Adam then reads beyond them, which ends the process.
    """
    own = optimizer.state_dict()
    counts = [[len(group["params"]) for group in groups] for groups in (state["param_groups"], own["param_groups"])]
    if counts[0] != counts[1]:
        raise ValueError(f"its optimizers have {counts[0]} parameters, not {counts[1]}")
    for saved, group in zip(state["param_groups"], optimizer.param_groups, strict=True):
        for key in ("lr", "eps", "weight_decay"):
            _number(saved[key], f"the optimizers' {key}")
        for beta in saved["betas"]:
            _number(beta, "the optimizers' betas")
        if len(saved["betas"]) != 2 or saved["amsgrad"] != group["amsgrad"]:
            raise ValueError("its optimizers are of another kind")
        for number, parameter in zip(saved["params"], group["params"], strict=True):
            for key, value in state["state"].get(number, {}).items():
                shape = () if key == "step" else tuple(parameter.shape)
                if not torch.is_tensor(value) or tuple(value.shape) != shape or not value.is_floating_point():
                    found = tuple(value.shape) if torch.is_tensor(value) else type(value).__name__
                    raise ValueError(f"its optimizers' {key} of parameter {number} is {found}, not {shape}")
            if state["state"].get(number) and set(state["state"][number]) != {"step", "exp_avg", "exp_avg_sq"}:
                raise ValueError("its optimizers are of another kind")


def check_pool(state):
    """Raise ValueError unless the images of a saved pool are batches of one image, (1, 3, H, W)."""
    for image in state["images"]:
        if not torch.is_tensor(image) or image.dim() != 4 or image.shape[:2] != (1, 3):
            raise ValueError("its pools hold something else than images")


def check_progress(progress):
    """Return how far a run was, {"epoch", "seen", "pictures": whole number; "best": number or None}, or ValueError."""
    for key, least in (("epoch", 1), ("seen", 0), ("pictures", 0)):
        if not isinstance(progress[key], int) or progress[key] < least:
            raise ValueError(f"its {key} is {progress[key]!r}")
    if progress.get("best") is not None:
        _number(progress["best"], "its best")
    return progress


def _number(value, name):
    if not isinstance(value, (int, float)):
        raise ValueError(f"{name} is {value!r}, not a number")
