"""NeRCo: two closed loops between low light (A) and normal light (B), trained without pairs (paper, section 3).

Equations are those of the paper's section 3; the names of losses are those of the released code's log.
"""

import torch
import torch.nn.functional as F

from models.appearance import AppearanceDiscriminator
from models.base_model import BaseModel
from models.discriminators import build_discriminator
from models.edges import EdgeFilter
from models.generators import build_generator
from models.layers import batched, init_weights
from models.mask_extractor import MaskExtractor
from models.nrn import NRN

GENERATIVE = ("Pre", "G_A", "G_B", "H")
DISCRIMINATIVE = ("D_A", "D_B", "D_A_edge", "D_B_edge")


class NeRCoModel(BaseModel):
    """The cooperative scheme: forward, the generators' objective, the discriminators' objective.

    Args:
        opt: the options of training, or of testing: then only the enhancing path is built and run.
    """

    def __init__(self, opt):
        super().__init__(opt)
        self.model_names = (*GENERATIVE, *DISCRIMINATIVE) if self.isTrain else ("Pre", "H", "G_A")
        self.visual_names = ("real_A", "pre_A", "mask", "fake_B")
        self._build_generators(opt)
        if self.isTrain:
            self.visual_names += ("rec_A", "real_B", "fake_A", "rec_B")
            self.loss_names = (
                *("D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B"),
                *("D_A_edge", "D_B_edge", "PreConsis", "H"),
            )
            self._build_discriminators(opt)
            self._build_optimizers(opt)
        for network in self.networks().values():
            init_weights(network, opt.init_type, opt.init_gain).to(self.device).train(self.isTrain)

    def _build_generators(self, opt):
        shape = {"ngf": opt.ngf, "norm": opt.norm, "dropout": opt.dropout}
        self.netPre = NRN(coords=opt.nrn_coords, **shape)
        self.netH = MaskExtractor(**shape)
        self.netG_A = build_generator(opt.netG, 6, **shape)
        if self.isTrain:
            self.netG_B = build_generator(opt.netG, 3, **shape)

    def _build_discriminators(self, opt):
        def discriminator():
            return build_discriminator(opt.netD, 3, opt.ndf, opt.n_layers_D, opt.norm)

        self.netD_A, self.netD_A_edge = discriminator(), discriminator()
        self.netD_B, self.netD_B_edge = discriminator(), discriminator()
        self.edge_filter = EdgeFilter(opt.edge_filter, opt.edge_projection).to(self.device)
        # The release names a discriminator after the loop it serves: D_A judges domain B.
        self.normal_light = AppearanceDiscriminator(self.netD_A, self.netD_A_edge, self.edge_filter, opt, "normal")
        self.low_light = AppearanceDiscriminator(self.netD_B, self.netD_B_edge, self.edge_filter, opt, "low")
        for domain, judge in (("normal", self.normal_light), ("low", self.low_light)):
            self.pools.update({f"{domain} {kind}": pool for kind, pool in judge.pools.items()})

    def _build_optimizers(self, opt):
        def adam(names):
            parameters = [p for name in names for p in getattr(self, f"net{name}").parameters()]
            return torch.optim.Adam(parameters, lr=opt.lr, betas=(opt.beta1, 0.999))

        self.optimizer_G, self.optimizer_D = adam(GENERATIVE), adam(DISCRIMINATIVE)
        self.optimizers = [self.optimizer_G, self.optimizer_D]
        self._total_sum, self._steps = torch.zeros((), device=self.device), 0

    def set_input(self, batch):
        """Take a batch {"A", "B": (N, 3, H, W) in [-1, 1]; "A_paths", "B_paths"}; testing needs A alone."""
        self.real_A = batch["A"].to(self.device, non_blocking=True)
        self.image_paths = batch["A_paths"]
        if self.isTrain:
            self.real_B = batch["B"].to(self.device, non_blocking=True)

    def forward(self):
        """Both loops (figure 2). In training, calls of one network that can go together share a batch."""
        A = self.real_A
        self.pre_A = self.netPre(A)
        self.h, self.mask = self.netH(A)
        guided = torch.cat([A, self.pre_A], dim=1) * self.mask  # (N, 6, H, W)
        if not self.isTrain:
            self.fake_B = self.netG_A(guided)
            return

        B = self.real_B
        # A -> B -> A, with what the identity and the bypass terms ask of the enhancer.
        darker = B - self.h
        self.fake_B, self.same_B, self.bypass_B = batched(
            self.netG_A, guided, torch.cat([B, B], dim=1), torch.cat([darker, darker], dim=1)
        )
        # B -> A -> B: the mask of A guides the degrading of B; there is no mask on the way back.
        self.fake_A, self.same_A = batched(self.netG_B, B * self.mask, A)
        self.rec_A = self.netG_B(self.fake_B)
        pre_A1 = self.netPre(self.fake_A)
        self.rec_B = self.netG_A(torch.cat([self.fake_A, pre_A1], dim=1))

    def get_current_visuals(self):
        visuals = super().get_current_visuals()
        visuals["mask"] = visuals["mask"] * 2 - 1  # from (0, 1)
        return visuals

    def generator_objective(self):
        """The generators' total (method, section 3), a scalar; its terms go to ``losses``."""
        opt, loss = self.opt, self.losses
        A, B, h = self.real_A, self.real_B, self.h
        fake_A, fake_B, pre_A = self.fake_A, self.fake_B, self.pre_A

        # Appearance: each loop's fakes are to be taken for real, by their colours and by their edges.
        colour_fake_B, colour_brighter = self.normal_light.colour(fake_B, A + h)
        colour_fake_A, colour_pre_A, colour_darker = self.low_light.colour(fake_A, pre_A, B - h)
        loss["G_A"] = colour_fake_B
        loss["G_B"] = colour_fake_A + colour_pre_A
        edges = (self.normal_light.edge(fake_B) + self.low_light.edge(fake_A)) / 2

        # Cycle consistency: each loop closes.
        loss["cycle_A"] = opt.lambda_A * F.l1_loss(self.rec_A, A)
        loss["cycle_B"] = opt.lambda_B * F.l1_loss(self.rec_B, B)

        # Identity: what is in a generator's target domain already stays as it is.
        loss["idt_A"] = opt.lambda_B * opt.lambda_identity * F.l1_loss(self.same_B, B)
        loss["idt_B"] = opt.lambda_A * opt.lambda_identity * F.l1_loss(self.same_A, A)

        # Normalisation: pre_A keeps the content of A and looks like low light.
        loss["PreConsis"] = 4 * opt.lambda_A * F.l1_loss(pre_A, A) + colour_pre_A

        # Mask: the residual h is what lies between the domains - by passing round the enhancer,
        # by the discriminators' judgement, and by agreeing with both loops.
        h_of_fake_A, _ = self.netH(fake_A)
        bypass = F.l1_loss(fake_B, A + h) + F.l1_loss(B, self.bypass_B)
        adversarial = colour_brighter + colour_darker
        self_supervised = F.l1_loss(h, fake_B - A) + F.l1_loss(fake_A, B - h_of_fake_A)
        loss["H"] = bypass + adversarial + self_supervised

        loop_A = loss["G_A"] + loss["cycle_A"] + loss["idt_A"]
        loop_B = loss["G_B"] + loss["cycle_B"] + loss["idt_B"]
        return loop_A + loop_B + edges + loss["H"] / 2 + loss["PreConsis"]

    def discriminator_objective(self):
        """The sum of the four discriminators' losses (method, section 4), a scalar; each goes to ``losses``."""
        loss, A, B = self.losses, self.real_A, self.real_B
        fake_A, fake_B, pre_A = self.fake_A.detach(), self.fake_B.detach(), self.pre_A.detach()
        loss["D_A"] = self.normal_light.colour_error(B, fake_B)
        loss["D_B"] = self.low_light.colour_error(A, fake_A, normalised=pre_A)
        loss["D_A_edge"] = self.normal_light.edge_error(B, fake_B)
        loss["D_B_edge"] = self.low_light.edge_error(A, fake_A)
        return loss["D_A"] + loss["D_B"] + loss["D_A_edge"] + loss["D_B_edge"]

    def optimize_parameters(self):
        """One step of the generators, then one of the discriminators on the fakes of before that step.

        Returns:
            The generators' total plus the four discriminator losses, a scalar tensor.
        """
        discriminators = [getattr(self, f"net{name}") for name in DISCRIMINATIVE]
        self.forward()

        self.set_requires_grad(discriminators, False)
        total = self.generator_objective()
        self.optimizer_G.zero_grad()
        total.backward()
        self.optimizer_G.step()

        self.set_requires_grad(discriminators, True)
        error = self.discriminator_objective()
        self.optimizer_D.zero_grad()
        error.backward()
        self.optimizer_D.step()

        self._total_sum += total.detach()
        self._steps += 1
        return total.detach() + error.detach()

    def epoch_metric(self):
        """The mean of the generators' total since the last call."""
        mean = float(self._total_sum) / max(1, self._steps)
        self._total_sum, self._steps = torch.zeros_like(self._total_sum), 0
        return mean

    def extra_state(self):
        return {"total_sum": self._total_sum, "steps": self._steps}

    def load_extra_state(self, state):
        self._total_sum, self._steps = state["total_sum"].to(self.device), state["steps"]
