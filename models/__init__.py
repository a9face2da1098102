"""The models that ``--model`` can name."""

from models.nerco_model import NeRCoModel
from util.errors import UsageError

MODELS = {"nerco": NeRCoModel}


def create_model(opt):
    """The model that ``opt.model`` names, in any letter case, ready for ``setup``."""
    if opt.model.lower() not in MODELS:
        raise UsageError(f"--model {opt.model}: there is no such model; the choice is NeRCo")
    return MODELS[opt.model.lower()](opt)
