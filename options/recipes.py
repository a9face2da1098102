"""The two recipes, and the choice of parts to leave out."""

from argparse import ArgumentTypeError

from models.ablation import PARTS

# Where the released code departs from the paper (docs/method.md, section 7): flag -> (paper's value, released value).
RECIPES = {
    "nrn_coords": ("absolute", "cancelled"),
    "text_gradient": (True, False),
    "clip_input": ("normalized", "raw"),
    "edge_adversary": ("edges", "image"),
    "edge_projection": ("fixed", "random"),
}


def parts(text):
    """An option's type: parts of the method, "nrn,mask", as a sorted list."""
    names = sorted(set(text.split(",")))
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise ArgumentTypeError(f"{unknown[0]!r} is not a part; the parts are {', '.join(PARTS)}")
    return names
