"""The models that ``--model`` can name."""

from models.enhancing_model import EnhancingModel
from util.errors import UsageError

MODEL_NAMES = ("NeRCo",)


def create_model(opt, clip_model=None):
    """The model that ``opt.model`` names, in any letter case, ready for ``setup``.

    Args:
        opt: the options of training, or of testing: then a model that only enhances.
        clip_model: stands in for CLIP in the text term of training: a module with ``encode_image``,
            ``encode_text`` and ``logit_scale``.
    """
    if opt.model.lower() not in {name.lower() for name in MODEL_NAMES}:
        raise UsageError(f"--model {opt.model}: there is no such model; the choice is {', '.join(MODEL_NAMES)}")
    if not opt.isTrain:
        return EnhancingModel(opt)
    from models.nerco_model import NeRCoModel  # brings CLIP along, which enhancing does not need

    return NeRCoModel(opt, clip_model)
