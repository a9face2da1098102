"""What the method consists of, what a training step shows, and what it logs: a table of each.

The options, the model, the log, the pages, the live view and the results of test.py go by these tables.
"""

from dataclasses import dataclass

# What --ablate can remove, and what then happens.
PARTS = {
    "nrn": "no normalisation: the enhancer is given the image twice",
    "mask": "no mask extractor: a mask of ones, no mask losses",
    "text": "no text term, as with --no_text",
    "edge": "no edge discriminators",
    "color": "no colour discriminators",
    "dual_loop": "only A -> B -> A: no fake_A, no rec_B",
    "identity": "no identity terms",
    "consistency": "nothing keeps pre_A near A (PreConsis)",
}


@dataclass(frozen=True)
class Stage:
    """An image that a step makes, or starts from.

    Args:
        label: what people read.
        part: the part of the method without which there is no such stage (``PARTS``), or None.
        lowest: the least value; the greatest is 1 (pre_A may go beyond both).
    """

    label: str
    part: str | None = None
    lowest: float = -1.0


STAGES = {
    "real_A": Stage("A: low light"),
    "pre_A": Stage("pre_A: normalised", part="nrn"),
    "mask": Stage("mask", part="mask", lowest=0.0),
    "fake_B": Stage("fake_B: enhanced"),
    "rec_A": Stage("rec_A: A again"),
    "real_B": Stage("B: normal light"),
    "fake_A": Stage("fake_A: degraded", part="dual_loop"),
    "rec_B": Stage("rec_B: B again", part="dual_loop"),
    "lit_B": Stage("lit_B: what sim_A is to become", part="simulation"),
    "sim_A": Stage("sim_A: lit_B in simulated low light", part="simulation"),
    "sim_B": Stage("sim_B: sim_A enhanced", part="simulation"),
}

# The losses in the order of the log, under the names of the released code, and the group whose curves they share.
LOSSES = {
    "D_A": "discriminators",
    "G_A": "generators",
    "cycle_A": "cycles and identity",
    "idt_A": "cycles and identity",
    "D_B": "discriminators",
    "G_B": "generators",
    "cycle_B": "cycles and identity",
    "idt_B": "cycles and identity",
    "D_A_edge": "discriminators",
    "D_B_edge": "discriminators",
    "D_A_CLIP": "text",
    "D_B_CLIP": "text",
    "PreConsis": "normalisation and mask",
    "H": "normalisation and mask",
    "simulation": "cycles and identity",
}


def viewable(stage, values):
    """The values of a stage, a tensor of any shape, spread over [-1, 1]: what images are saved and shown from."""
    lowest = STAGES[stage].lowest
    return values if lowest == -1.0 else (values - lowest) * (2 / (1 - lowest)) - 1
