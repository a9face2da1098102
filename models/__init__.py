"""The model that a command's options ask for."""

from models.enhancing_model import EnhancingModel


def create_model(opt, clip_model=None):
    """NeRCo to train, or a model that only enhances; call its ``setup`` next.

    Args:
        opt: the options of training or of testing.
        clip_model: stands in for CLIP in the text term of training: a module with ``encode_image``,
            ``encode_text`` and ``logit_scale``.
    """
    if not opt.isTrain:
        return EnhancingModel(opt)
    from models.nerco_model import NeRCoModel  # brings CLIP along, which enhancing does not need

    return NeRCoModel(opt, clip_model)
