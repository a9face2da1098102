"""The two objectives, term by term (docs/method.md, sections 3 and 4).

The names of losses are those of the released code's log.
"""

import torch

from models.losses.losses import l1, restoration_distance
from models.networks.layers import batched

# What the terms of the generators' objective count in their total, where that is not 1 (docs/method.md, section 3).
WEIGHTS = {"edge": 0.5, "D_A_CLIP": 0.5, "D_B_CLIP": 0.5, "H": 0.5}


def generator_terms(model):
    """The terms of the generators' objective, {name: scalar}, for the parts that the model has."""
    opt, A, B = model.opt, model.real_A, model.real_B
    if model.warming_up:
        return _warm_up_terms(model)
    taken_for_real = _colour_verdicts(model)

    def verdicts(*names):
        return sum(taken_for_real[name] for name in names if name in taken_for_real)

    # Cycle: each loop closes. Adversary: its fakes are to be taken for real.
    terms = {"cycle_A": opt.lambda_A * l1(model.rec_A, A), "G_A": verdicts("fake_B")}
    if model.parts["dual_loop"]:
        terms["cycle_B"] = opt.lambda_B * l1(model.rec_B, B)
    terms["G_B"] = verdicts("fake_A", "pre_A")
    terms["edge"] = _edge_verdicts(model)

    # Identity: what is in a generator's target domain already stays as it is.
    if model.parts["identity"]:
        terms["idt_A"] = opt.lambda_B * opt.lambda_identity * l1(model.same_B, B)
        terms["idt_B"] = opt.lambda_A * opt.lambda_identity * l1(model.same_A, A)

    # Simulation, which the paper does not have: what was darkened comes back.
    if model.parts["simulation"]:
        terms["simulation"] = opt.lambda_simulation * restoration_distance(model.sim_B, B)

    # Normalisation: pre_A keeps the content of A and looks like low light.
    if model.parts["nrn"] and model.parts["consistency"]:
        terms["PreConsis"] = 4 * opt.lambda_A * l1(model.pre_A, A) + verdicts("pre_A")

    if model.parts["mask"]:
        terms["H"] = _residual_agreement(model) + verdicts("A + h", "B - h")
    if model.text_prior:
        terms.update(_text_terms(model))

    # A verdict that nobody is there to give is the number 0.
    return {name: term for name, term in terms.items() if torch.is_tensor(term)}


def _warm_up_terms(model):
    """What is left where nothing but simulated low light trains: B comes back, and pre_A keeps the content of A."""
    opt = model.opt
    terms = {"simulation": opt.lambda_simulation * restoration_distance(model.sim_B, model.real_B)}
    if model.parts["nrn"] and model.parts["consistency"]:
        terms["PreConsis"] = 4 * opt.lambda_A * l1(model.pre_sim_A, model.sim_A)
    return terms


def _colour_verdicts(model):
    """How far images are from being taken for real by their colours, {image: scalar}; none if unjudged."""
    bright, dark = {"fake_B": model.fake_B}, {}
    if model.parts["dual_loop"]:
        dark["fake_A"] = model.fake_A
    if model.parts["nrn"]:
        dark["pre_A"] = model.pre_A
    if model.parts["mask"]:
        bright["A + h"], dark["B - h"] = model.real_A + model.h, model.real_B - model.h
    found = {}
    for judge, images in ((model.normal_light, bright), (model.low_light, dark)):
        if judge.colour_net:
            found.update(zip(images, judge.colour(*images.values()), strict=True))
    return found


def _edge_verdicts(model):
    """The same of both loops' fakes by their edges, summed."""
    fakes = [(model.normal_light, model.fake_B)]
    if model.parts["dual_loop"]:
        fakes.append((model.low_light, model.fake_A))
    return sum(judge.edge(fake) for judge, fake in fakes if judge.edge_net)


def _residual_agreement(model):
    """The residual h is what lies between the domains: round the enhancer (bypass), and in both loops."""
    A, B, h = model.real_A, model.real_B, model.h
    bypass = l1(model.fake_B, A + h) + l1(B, model.bypass_B)
    self_supervised = l1(h, model.fake_B - A)
    if model.parts["dual_loop"]:
        h_of_fake_A, _ = model.run(model.netH, model.fake_A)
        self_supervised = self_supervised + l1(model.fake_A, B - h_of_fake_A)
    return bypass + self_supervised


def _text_terms(model):
    """Fakes and reconstructions look, to CLIP, like what they should be; all images share one batch."""
    images = {
        name: getattr(model, name) for name in ("fake_B", "rec_B", "fake_A", "rec_A") if name in model.visual_names
    }
    if not model.opt.text_gradient:
        # As released: images go through pools, which detach them. A pool of none passes them on as they are.
        pools = {name: model.pools["text of rec_A" if name == "rec_A" else "text"] for name in images}
        images = {name: pools[name].query(image) for name, image in images.items()}
    said = dict(zip(images, batched(model.text_prior, *images.values()), strict=True))  # (N, 2) each
    terms = {}
    for loss, judge, names in (
        ("D_A_CLIP", model.normal_light, ("fake_B", "rec_B")),
        ("D_B_CLIP", model.low_light, ("fake_A", "rec_A")),
    ):
        terms[loss] = sum(judge.text(said[name]) for name in names if name in said)
    return terms


def discriminator_errors(model):
    """The loss of each discriminator that the model has, {name: scalar} (docs/method.md, section 4)."""
    A, B, fake_B, errors = model.real_A, model.real_B, model.fake_B.detach(), {}
    dark = {"fake": model.fake_A.detach()} if model.parts["dual_loop"] else {}
    edge_fakes = dict(dark)
    if model.parts["nrn"]:
        dark["normalised"] = model.pre_A.detach()
    if "D_A" in model.discriminative:
        errors["D_A"] = model.normal_light.colour_error(B, fake=fake_B)
    if "D_B" in model.discriminative:
        errors["D_B"] = model.low_light.colour_error(A, **dark)
    if "D_A_edge" in model.discriminative:
        errors["D_A_edge"] = model.normal_light.edge_error(B, fake_B)
    if "D_B_edge" in model.discriminative:
        errors["D_B_edge"] = model.low_light.edge_error(A, **edge_fakes)
    return errors
