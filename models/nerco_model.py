"""NeRCo: two closed loops between low light (A) and normal light (B), trained without pairs.

The terms that train them are in objectives.py.
"""

import torch
from torch.utils.checkpoint import checkpoint

from models.ablation import build_part, discriminative_parts, generative_parts
from models.base_model import BaseModel
from models.enhancer import NETWORKS, Enhancer
from models.kernels.norms import freeze_batch_norms
from models.losses.appearance import AppearanceDiscriminator
from models.losses.edges import EdgeFilter
from models.losses.objectives import WEIGHTS, discriminator_errors, generator_terms
from models.losses.text_prior import load_clip, text_prior_of
from models.networks.generators import with_one_copy
from models.networks.layers import batched, keep_tanh_sloping
from models.optim.weight_average import WeightAverage
from util import distributed
from util.image_pool import ImagePool

STAGES = ("real_A", "pre_A", "mask", "fake_B", "rec_A", "real_B", "fake_A", "rec_B", "sim_A", "sim_B")
LOSSES = (
    *("D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B"),
    *("D_A_edge", "D_B_edge", "D_A_CLIP", "D_B_CLIP", "PreConsis", "H"),
    "simulation",
)


class NeRCoModel(BaseModel):
    """The cooperative scheme: which parts there are, both loops, and the two steps that train them.

    Args:
        opt: the options of training.
        clip_model: stands in for CLIP's RN50 in the text term.
    """

    def __init__(self, opt, clip_model=None):
        super().__init__(opt)
        self.parts = {part: part not in opt.ablate for part in ("nrn", "mask", "dual_loop", "identity", "consistency")}
        self.parts["simulation"] = opt.lambda_simulation > 0
        self.warming_up = False  # whether the present step trains on simulated low light alone (--simulation_epochs)
        self.frozen = False  # whether batch norms keep their statistics by now (--freeze_norm_epoch)
        self.generative = generative_parts(opt.ablate)
        self.discriminative = discriminative_parts(opt.ablate)
        self.model_names = (*self.generative, *self.discriminative)
        stored = torch.channels_last if opt.channels_last else torch.contiguous_format
        self.layout = torch.channels_last if self.device.type == "cpu" else stored  # of images
        for name in self.model_names:
            setattr(self, f"net{name}", build_part(name, opt).to(self.device, memory_format=stored))
        if opt.ema:
            self.average = WeightAverage({name: self.networks()[name] for name in self._enhancing()}, opt.ema)
        if self.parts["simulation"]:
            keep_tanh_sloping(self.netG_A)  # or white spots grow, by which instance norms let brightness through
        if opt.compile:
            for network in self.networks().values():
                network.compile()
        self._build_judges(opt, clip_model)
        self._build_optimizers(opt)

    def _build_judges(self, opt, clip_model):
        networks, edge_filter = self.networks(), EdgeFilter(opt.edge_filter, opt.edge_projection).to(self.device)

        def judge(letter, words, name):
            colour, edge = networks.get(f"D_{letter}"), networks.get(f"D_{letter}_edge")
            found = AppearanceDiscriminator(colour, edge, edge_filter, words, opt, name)
            self.pools.update({f"{name} {kind}": pool for kind, pool in found.pools.items()})
            return found

        # The release names a discriminator after the loop it serves: D_A judges domain B.
        self.normal_light, self.low_light = judge("A", (0, 1), "normal"), judge("B", (1, 0), "low")
        self.text_prior = None
        if not opt.no_text:
            clip_model = load_clip(opt.clip_path) if clip_model is None else clip_model
            self.text_prior = text_prior_of(opt, clip_model).to(self.device)
            for kind in ("text", "text of rec_A"):
                self.pools[kind] = ImagePool(opt.pool_size, f"{opt.seed} {distributed.rank()} {kind}")

    def _build_optimizers(self, opt):
        for names in (self.generative, self.discriminative):
            parameters = [p for name in names for p in self.networks()[name].parameters()]
            if parameters:
                self.optimizers.append(torch.optim.Adam(parameters, opt.lr, (opt.beta1, 0.999), fused=True))
        self._total_sum, self._steps = torch.zeros((), dtype=torch.float64, device=self.device), 0

    def _enhancing(self):
        return [name for name in NETWORKS if name in self.generative]

    def enhancer(self):
        """The present enhancer, of averaged weights with ``--ema``; shares the networks and their mode."""
        networks = self.average.networks if self.average else self.networks()
        return Enhancer.of({name: networks[name] for name in self._enhancing()}, vars(self.opt))

    def set_input(self, batch):
        """Take a batch {"A", "B" and, with simulation, "sim_A": (N, 3, H, W) in [-1, 1]; "A_paths", "B_paths"}."""
        names = {"real_A": "A", "real_B": "B"} | ({"sim_A": "sim_A"} if self.parts["simulation"] else {})
        for name, key in names.items():
            setattr(self, name, batch[key].to(self.device, non_blocking=True, memory_format=self.layout))
        self.image_paths, self.other_paths = batch["A_paths"], batch["B_paths"]
        epoch = self.schedules[0].epoch if self.schedules else self.opt.epoch_count
        self.warming_up = epoch <= self.opt.simulation_epochs
        if self.opt.freeze_norm_epoch and epoch >= self.opt.freeze_norm_epoch:
            self._freeze_norms()

    def _freeze_norms(self):
        if self.average and not self.frozen:  # those of the last few images differ from step to step
            self.average.lend_statistics()
        self.frozen = True
        for name in self.generative:
            freeze_batch_norms(self.networks()[name])

    def forward(self):
        """Both loops, or what is trained while warming up; calls of one network that can go together share a batch."""
        if self.warming_up:
            (self.pre_sim_A,), _, (guided,) = self._guide(self.sim_A)
            self.sim_B = self.run(self.netG_A, guided)
            return
        A, B = self.real_A, self.real_B
        dark = [A, self.sim_A] if self.parts["simulation"] else [A]
        pre, found, guided = self._guide(*dark)
        self.pre_A, (self.h, self.mask) = pre[0], found[0]

        # A -> B -> A, with what the other terms ask of the enhancer.
        to_enhance, to_degrade = dict(zip(("fake_B", "sim_B"), guided, strict=False)), {}  # (N, 6, H, W) each
        if self.parts["identity"]:
            to_enhance["same_B"], to_degrade["same_A"] = torch.cat([B, B], dim=1), A
        if self.parts["mask"]:
            to_enhance["bypass_B"] = torch.cat([B - self.h, B - self.h], dim=1)
        if self.parts["dual_loop"]:
            to_degrade["fake_A"] = B * self.mask  # the mask of A guides the degrading of B
        self._call(self.netG_A, to_enhance)
        self._call(self.netG_B, to_degrade)
        self.rec_A = self.run(self.netG_B, self.fake_B)

        # B -> A -> B: there is no mask on the way back.
        if self.parts["dual_loop"]:
            pre_A1 = self.run(self.netPre, self.fake_A) if self.parts["nrn"] else self.fake_A
            self.rec_B = self.run(self.netG_A, torch.cat([self.fake_A, pre_A1], dim=1))

    def _guide(self, *dark):
        """What the enhancer needs of low light: of each image its normalised one, (h, mask), and its input."""
        pre = batched(self.netPre, *dark, call=self.run) if self.parts["nrn"] else dark
        found = [self.run(self.netH, x) if self.parts["mask"] else (None, torch.ones_like(x[:, :1])) for x in dark]
        guided = [torch.cat([x, pre_x], dim=1) * mask for x, pre_x, (_, mask) in zip(dark, pre, found, strict=True)]
        return pre, found, guided

    def _call(self, network, inputs):
        """Set the attributes that ``inputs`` names to what the network makes of them."""
        outputs = batched(network, *inputs.values(), call=self.run)
        for name, output in zip(inputs, outputs, strict=True):
            setattr(self, name, output)

    def run(self, network, x):
        """Call a network; with ``--checkpoint_activations`` its inside is computed again in the backward pass."""
        if self.opt.checkpoint_activations and torch.is_grad_enabled():
            return checkpoint(network, x, use_reentrant=False)
        return network(x)

    def get_current_visuals(self):
        visuals = super().get_current_visuals()
        if "mask" in visuals:
            visuals["mask"] = visuals["mask"] * 2 - 1  # from (0, 1)
        return visuals

    @property
    def visual_names(self):
        """The stages of the last step."""
        if self.warming_up:
            return ["real_B", "sim_A", "sim_B"]
        needs = {"pre_A": "nrn", "mask": "mask", "fake_A": "dual_loop", "rec_B": "dual_loop"}
        needs |= {"sim_A": "simulation", "sim_B": "simulation"}
        return [stage for stage in STAGES if stage not in needs or self.parts[needs[stage]]]

    @property
    def loss_names(self):
        """The losses of the last step, in the order of the log."""
        return [name for name in LOSSES if name in self.losses]

    def generator_objective(self):
        """The generators' total (docs/method.md, section 3), a scalar; its terms go to ``losses``."""
        terms = generator_terms(self)
        self.losses.update(terms)
        return sum(WEIGHTS.get(name, 1) * term for name, term in terms.items())

    def discriminator_objective(self):
        """The sum of the discriminators' losses (docs/method.md, section 4), a scalar; each goes to ``losses``."""
        errors = discriminator_errors(self)
        self.losses.update(errors)
        return sum(errors.values())

    def optimize_parameters(self):
        """One step of the generators, then one of the discriminators on the fakes of before that step.

        Returns:
            The generators' total plus the discriminators' losses, a scalar tensor.
        """
        discriminators = [] if self.warming_up else [self.networks()[name] for name in self.discriminative]
        self.set_requires_grad(discriminators, False)
        with self.precision.autocast():
            self.forward()
            total = self.generator_objective()
        self.precision.update(self.optimizers[0], total)
        reported = total.detach()

        if discriminators:
            self.set_requires_grad(discriminators, True)
            with self.precision.autocast():
                error = self.discriminator_objective()
            self.precision.update(self.optimizers[1], error)
            reported = reported + error.detach()

        self.precision.end_step()
        if self.average:
            self.average.update()
        self.watch.note(self.losses, [*self.image_paths, *self.other_paths])
        self._total_sum += total.detach()
        self._steps += 1
        return reported

    def epoch_metric(self):
        """The mean of the generators' total since the last call, over all processes."""
        mean = distributed.mean(float(self._total_sum) / max(1, self._steps))
        self._total_sum, self._steps = torch.zeros_like(self._total_sum), 0
        return mean

    def adapted(self, name, state, stored):
        # Without normalisation the enhancer was given the image twice. It goes on as if once, so that what a new
        # network makes of the image has no say at first.
        if name == "G_A" and self.parts["nrn"] and "nrn" in stored.get("ablate", ()):
            return with_one_copy(state)
        return state

    def extra_state(self):
        return {"total_sum": self._total_sum, "steps": self._steps}

    def load_extra_state(self, state):
        self._total_sum, self._steps = state["total_sum"].to(self.device), state["steps"]
