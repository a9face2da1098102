"""NeRCo: two closed loops between low light (A) and normal light (B), trained without pairs (docs/method.md).

Read ``optimize_parameters`` first: ``forward``, ``backward_G`` and ``backward_D`` are the parts of one training step.
"""

import torch
from torch.utils.checkpoint import checkpoint

from models.ablation import GENERATIVE, adapted, build_part, networks_of, parts_of
from models.base_model import BaseModel
from models.enhancer import NETWORKS
from models.losses.edges import EdgeFilter
from models.losses.gan import GANLoss
from models.losses.restoration import l1, restoration_distance
from models.losses.text_prior import load_clip, text_losses, text_prior_of
from models.networks.layers import batched, keep_tanh_sloping
from models.optim.step_graph import StepGraphs
from models.optim.weight_average import WeightAverage
from util.device import widest
from util.distributed import rank
from util.image_pool import ImagePool

POOLS, TEXT_POOLS = ("fake_B", "fake_A", "pre_A", "edges_B", "edges_A"), ("text", "text_rec_A")


class NeRCoModel(BaseModel):
    """The networks of the method, both loops, and the step that trains them.

    Args:
        opt: the options of training.
        clip_model: stands in for CLIP's RN50 in the text term.
    """

    def __init__(self, opt, clip_model=None):
        super().__init__(opt)
        self.has = parts_of(opt)  # {part: whether this run trains with it}
        self.warming_up = False  # whether this step trains on simulated low light alone (--simulation_epochs)

        # The networks, under their names in a checkpoint. The release names a discriminator after the loop it serves:
        # D_A judges domain B.
        self.model_names = networks_of(self.has)
        self.generative = [name for name in self.model_names if name in GENERATIVE]
        self.discriminative = [name for name in self.model_names if name not in GENERATIVE]
        stored = torch.channels_last if opt.channels_last else torch.contiguous_format
        self.layout = torch.channels_last if self.device.type == "cpu" else stored  # of images
        networks = {name: build_part(name, opt).to(self.device, memory_format=stored) for name in self.model_names}
        self.netPre, self.netH = networks.get("Pre"), networks.get("H")
        self.netG_A, self.netG_B = networks["G_A"], networks["G_B"]
        self.netD_A, self.netD_B = networks.get("D_A"), networks.get("D_B")
        self.netD_A_edge, self.netD_B_edge = networks.get("D_A_edge"), networks.get("D_B_edge")
        if opt.ema:
            self.average = WeightAverage({name: networks[name] for name in NETWORKS if name in networks}, opt.ema)
        if self.has["simulation"]:
            keep_tanh_sloping(self.netG_A)  # or white spots grow, by which instance norms let brightness through
        if opt.compile:
            for network in networks.values():
                network.compile()

        # What the losses take beside images: the adversarial objective, the high-pass filter E, the text prior.
        self.gan = GANLoss(opt.gan_mode, opt.lambda_gp)
        self.edges = EdgeFilter(opt.edge_filter, opt.edge_projection).to(self.device, widest(self.device))
        self.text_prior = None
        if self.has["text"]:
            clip_model = load_clip(opt.clip_path) if clip_model is None else clip_model
            self.text_prior = text_prior_of(opt, clip_model).to(self.device)

        # An optimizer for the generators, one for the discriminators; the history of each kind of fake.
        self.optimizers = [
            torch.optim.Adam(
                [p for name in names for p in networks[name].parameters()], opt.lr, (opt.beta1, 0.999), fused=True
            )
            for names in (self.generative, self.discriminative)
            if names
        ]
        self.optimizer_G, self.optimizer_D = [*self.optimizers, None][:2]  # None: there is no discriminator
        pools = (*POOLS, *(TEXT_POOLS if self.has["text"] else ()))
        self.pools = {name: ImagePool(opt.pool_size, f"{opt.seed} {rank()} {name}") for name in pools}
        self.rec_B = None
        if opt.cuda_graph:
            self.graphs = StepGraphs(self.optimizers)

    def set_input(self, batch):
        """Take a batch {"A", "B"; with simulation "sim_A", "lit_B": (N, 3, H, W) in [-1, 1]; "A_paths", "B_paths"}."""
        epoch = self.schedules[0].epoch if self.schedules else self.opt.epoch_count
        self.warming_up = epoch <= self.opt.simulation_epochs
        self.real_A = self.held("real_A", None if self.warming_up else self._placed(batch["A"]))
        self.real_B = self.held("real_B", None if self.warming_up else self._placed(batch["B"]))
        self.sim_A = self.held("sim_A", self._placed(batch["sim_A"]) if self.has["simulation"] else None)
        self.lit_B = self.held("lit_B", self._placed(batch["lit_B"]) if self.has["simulation"] else None)
        self.image_paths, self.other_paths = batch["A_paths"], batch["B_paths"]
        if self.opt.freeze_norm_epoch and epoch >= self.opt.freeze_norm_epoch and not self.norms_frozen:
            self.freeze_norms()

    def optimize_parameters(self):
        """One step of the generators, then one of the discriminators on the fakes of before that step.

        Returns:
            The generators' total plus the discriminators' losses, a scalar tensor.
        """
        discriminators = [self.networks()[name] for name in self.discriminative]

        # The generators; the discriminators are frozen.
        self.set_requires_grad(discriminators, False)
        self.step(self.optimizer_G, self.forward, self.backward_G)

        # The discriminators, on fakes of now and before.
        self.set_requires_grad(discriminators, True)
        if discriminators and not self.warming_up:
            self.draw_fakes()
            self.step(self.optimizer_D, self.backward_D)

        self.end_step([*self.image_paths, *self.other_paths])
        return (self.loss_G + self.loss_D).detach()

    def forward(self):
        """Both closed loops (docs/method.md, section 2); calls of one network that can go together share a batch."""
        if self.warming_up:
            self.forward_simulation()
            return
        A, B, has = self.real_A, self.real_B, self.has
        with self.autocast():
            # A -> B -> A.
            self.pre_A, pre_sim_A = self.normalise(A, self.sim_A)
            self.h, self.mask = self.attend(A)
            self.fake_B, self.sim_B, self.idt_A, self.bypass_B = self.call(
                self.netG_A,  # (N, 6, H, W) -> (N, 3, H, W)
                torch.cat([A, self.pre_A], dim=1) * self.mask,
                self.guided(self.sim_A, pre_sim_A) if has["simulation"] else None,
                torch.cat([B, B], dim=1) if has["identity"] else None,
                torch.cat([B - self.h, B - self.h], dim=1) if has["mask"] else None,
            )
            self.fake_A, self.idt_B, self.rec_A = self.call(
                self.netG_B,
                B * self.mask if has["dual_loop"] else None,  # the mask of A guides the degrading of B
                A if has["identity"] else None,
                self.fake_B,
            )

            # B -> A -> B: there is no mask on the way back.
            if has["dual_loop"]:
                (self.pre_A1,) = self.normalise(self.fake_A)
                self.rec_B = self.run(self.netG_A, torch.cat([self.fake_A, self.pre_A1], dim=1))

    def backward_G(self):
        """The generators' objective (docs/method.md, section 3), a line a term, and its gradients."""
        if self.warming_up:
            self.backward_simulation()
            return
        opt, has = self.opt, self.has
        A, B, h, pre_A = self.real_A, self.real_B, self.h, self.pre_A
        fake_B, rec_A, fake_A, rec_B = self.fake_B, self.rec_A, self.fake_A, self.rec_B
        with self.autocast():
            # GAN(D(x), real) of each image; 0 for those that this run does not judge.
            A_h, B_h = (A + h, B - h) if has["mask"] else (None, None)
            gan_fake_B, gan_A_h = self.gan.fooled(self.netD_A, fake_B, A_h)
            gan_fake_A, gan_pre_A, gan_B_h = self.gan.fooled(self.netD_B, fake_A, pre_A if has["nrn"] else None, B_h)
            (edge_B,) = self.gan.fooled(self.netD_A_edge, self.edges_for_G(fake_B))
            (edge_A,) = self.gan.fooled(self.netD_B_edge, self.edges_for_G(fake_A))
            text_B, text_A = self.text_terms(fake_B, rec_B, fake_A, rec_A)

            # A -> B -> A.
            self.loss_G_A = gan_fake_B
            self.loss_cycle_A = opt.lambda_A * l1(rec_A, A)
            self.loss_idt_A = opt.lambda_B * opt.lambda_identity * l1(self.idt_A, B) if has["identity"] else 0
            self.loss_D_A_CLIP = text_B

            # B -> A -> B.
            self.loss_G_B = gan_fake_A + gan_pre_A
            self.loss_cycle_B = opt.lambda_B * l1(rec_B, B) if has["dual_loop"] else 0
            self.loss_idt_B = opt.lambda_A * opt.lambda_identity * l1(self.idt_B, A) if has["identity"] else 0
            self.loss_D_B_CLIP = text_A

            # NRN: pre_A keeps the content of A and looks like low light.
            keeps_A = has["nrn"] and has["consistency"]
            self.loss_PreConsis = 4 * opt.lambda_A * l1(pre_A, A) + gan_pre_A if keeps_A else 0

            # Mask extractor: the residual h is what lies between the domains.
            if has["mask"]:
                bypass = l1(fake_B, A + h) + l1(B, self.bypass_B)
                adversarial = gan_A_h + gan_B_h
                self_supervised = l1(h, fake_B - A)
                if has["dual_loop"]:
                    h_of_fake_A, _ = self.attend(fake_A)
                    self_supervised = self_supervised + l1(fake_A, B - h_of_fake_A)
                self.loss_H = bypass + adversarial + self_supervised

            # Not in the paper: what was darkened comes back.
            self.loss_simulation = (
                opt.lambda_simulation * restoration_distance(self.sim_B, self.lit_B) if has["simulation"] else 0
            )

            # fmt: off
            self.loss_G = (
                self.loss_G_A + self.loss_cycle_A + self.loss_idt_A + self.loss_D_A_CLIP / 2 + edge_B / 2
                + self.loss_G_B + self.loss_cycle_B + self.loss_idt_B + self.loss_D_B_CLIP / 2 + edge_A / 2
                + self.loss_H / 2 + self.loss_PreConsis + self.loss_simulation
            )
            # fmt: on
        self.scaler.scale(self.loss_G).backward()

    def draw_fakes(self):
        """What the discriminators are shown, by pool: the fakes of this step or of former ones; None for none."""
        fake_B, fake_A, pre_A = (None if x is None else x.detach() for x in (self.fake_B, self.fake_A, self.pre_A))
        fakes = {
            "fake_B": fake_B if self.netD_A else None,
            "fake_A": fake_A if self.netD_B else None,
            "pre_A": pre_A if self.netD_B and self.has["nrn"] else None,
            "edges_B": self.edges(fake_B) if self.netD_A_edge else None,
            "edges_A": self.edges(fake_A) if self.netD_B_edge else None,
        }
        self.fakes = {pool: self.held(pool, self.old_or_new(pool, fake)) for pool, fake in fakes.items()}

    def backward_D(self):
        """The discriminators' losses (docs/method.md, section 4), and their gradients."""
        A, B, E, fakes = self.real_A, self.real_B, self.edges, self.fakes
        D_A, D_B, D_A_edge, D_B_edge = self.netD_A, self.netD_B, self.netD_A_edge, self.netD_B_edge
        told_apart = self.gan.told_apart
        with self.autocast():
            self.loss_D_A = told_apart(D_A, B, fakes["fake_B"]) if D_A else 0
            self.loss_D_B = told_apart(D_B, A, fakes["fake_A"], fakes["pre_A"]) if D_B else 0
            self.loss_D_A_edge = told_apart(D_A_edge, E(B), fakes["edges_B"]) if D_A_edge else 0
            self.loss_D_B_edge = told_apart(D_B_edge, E(A), fakes["edges_A"]) if D_B_edge else 0
            self.loss_D = self.loss_D_A + self.loss_D_B + self.loss_D_A_edge + self.loss_D_B_edge
        self.scaler.scale(self.loss_D).backward()

    # Warming up: simulated low light alone (--simulation_epochs).

    def forward_simulation(self):
        """The enhancer on darkened lit_B."""
        with self.autocast():
            (self.pre_sim_A,) = self.normalise(self.sim_A)
            self.sim_B = self.run(self.netG_A, self.guided(self.sim_A, self.pre_sim_A))

    def backward_simulation(self):
        """Darkened lit_B comes back, and its pre_A keeps its content."""
        opt, has = self.opt, self.has
        with self.autocast():
            self.loss_simulation = opt.lambda_simulation * restoration_distance(self.sim_B, self.lit_B)
            keeps_A = has["nrn"] and has["consistency"]
            self.loss_PreConsis = 4 * opt.lambda_A * l1(self.pre_sim_A, self.sim_A) if keeps_A else 0
            self.loss_G = self.loss_simulation + self.loss_PreConsis
        self.scaler.scale(self.loss_G).backward()

    # The networks' calls.

    def normalise(self, *images):
        """Pre(x) of each batch of images (N, 3, H, W); without the NRN, x itself."""
        return self.call(self.netPre, *images) if self.has["nrn"] else images

    def attend(self, image):
        """H(x): residual (N, 3, H, W) and mask (N, 1, H, W); without the mask extractor None and ones."""
        return self.run(self.netH, image) if self.has["mask"] else (None, torch.ones_like(image[:, :1]))

    def guided(self, image, pre):
        """What the enhancer is given of low light: (N, 6, H, W)."""
        _, mask = self.attend(image)
        return torch.cat([image, pre], dim=1) * mask

    def call(self, network, *inputs):
        """The outputs of a network for several inputs, in one batch where that changes nothing; None for None."""
        return batched(network, *inputs, call=self.run)

    def run(self, network, x):
        """Call a network; with ``--checkpoint_activations`` its inside is computed again in the backward pass."""
        if self.opt.checkpoint_activations and torch.is_grad_enabled():
            return checkpoint(network, x, use_reentrant=False)
        return network(x)

    def edges_for_G(self, fake):
        """What the edge discriminators are shown in the generators' step: E(x); in the released recipe x itself."""
        return self.edges(fake) if self.opt.edge_adversary == "edges" and fake is not None else fake

    def text_terms(self, fake_B, rec_B, fake_A, rec_A):
        """L1(p(x), [0, 1]) of normal light and L1(p(x), [1, 0]) of low light, a scalar each; 0 without text term."""
        if self.text_prior is None:
            return 0, 0
        if not self.opt.text_gradient:
            # As released: images go through pools, which detach them. A pool of none passes them on as they are.
            fake_B, rec_B, fake_A = (self.old_or_new("text", x) for x in (fake_B, rec_B, fake_A))
            rec_A = self.old_or_new("text_rec_A", rec_A)
        return text_losses(self.text_prior, normal_light=(fake_B, rec_B), low_light=(fake_A, rec_A))

    def old_or_new(self, pool, fake):
        """Fakes to judge: these, or some of their pool's (N, 3, H, W); None for None."""
        return None if fake is None else self.pools[pool].query(fake)

    def adapted(self, name, state, stored):
        return adapted(name, state, vars(self.opt), stored)

    def _placed(self, images):
        return images.to(self.device, non_blocking=True, memory_format=self.layout)
