"""What every trainable model shares: device, precision, losses and stages by name, learning rates."""

from collections import OrderedDict

import torch

from models.enhancer import NETWORKS, Enhancer
from models.networks.layers import freeze_batch_norms
from models.optim.finite_watch import FiniteWatch
from models.resumable import Resumable
from util import distributed
from util.device import select_device, widest
from util.precision import AMP, usable_amp
from util.stages import LOSSES, STAGES, viewable


class BaseModel(Resumable):
    """The grammar of the CycleGAN family: set_input, forward, optimize_parameters, get_current_*.

    A subclass provides ``has`` {part: bool}, ``generative`` (names of the networks that make images), what
    ``Resumable`` asks for, and in each step the stages and losses of util/stages.py, with the losses' sums ``loss_G``
    and ``loss_D``.
    """

    def __init__(self, opt):
        super().__init__(opt)
        self.device = select_device(opt.gpu_ids)
        # What convolutions and products compute in; None: as the weights.
        self.amp = AMP[usable_amp(opt.amp, self.device, opt.force_amp)]
        # fp16 alone lacks the range for small gradients.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp is torch.float16)
        self.watch = FiniteWatch()
        self.graphs = None  # with --cuda_graph: ``StepGraphs``
        self.norms_frozen = False  # whether batch norms keep their statistics by now (--freeze_norm_epoch)
        self.loss_G = self.loss_D = 0
        for name in LOSSES:  # what a run does without stays 0
            setattr(self, f"loss_{name}", 0)
        self._total_sum, self._steps = torch.zeros((), dtype=widest(self.device), device=self.device), 0

    def enhancer(self):
        """The present enhancer, of averaged weights with ``--ema``; shares the networks and their mode."""
        networks = self.average.networks if self.average else self.networks()
        return Enhancer.of({name: networks[name] for name in NETWORKS if name in networks}, vars(self.opt))

    @property
    def visual_names(self):
        """The stages of the last step, in the order of the table."""
        there = [name for name, stage in STAGES.items() if stage.part is None or self.has[stage.part]]
        return [name for name in there if getattr(self, name, None) is not None]

    @property
    def loss_names(self):
        """The losses of the last step, in the order of the log."""
        return [name for name in LOSSES if torch.is_tensor(getattr(self, f"loss_{name}"))]

    def get_current_visuals(self):
        """The images of the last step, {name: (N, C, H, W) in [-1, 1]}, in the order of ``visual_names``."""
        return OrderedDict((name, viewable(name, getattr(self, name).detach())) for name in self.visual_names)

    def losses(self):
        """The losses of the last step, {name: scalar tensor}, in the order of ``loss_names``."""
        return {name: getattr(self, f"loss_{name}") for name in self.loss_names}

    def get_current_losses(self):
        """The same as numbers, {name: float}."""
        return OrderedDict((name, loss.item()) for name, loss in self.losses().items())

    def autocast(self):
        """A context in which convolutions and matrix products compute as ``--amp`` says."""
        return torch.autocast(self.device.type, self.amp, enabled=self.amp is not None)

    def held(self, name, tensor):
        """What a step reads, or None; with ``--cuda_graph`` from the place from which it was recorded."""
        return self.graphs.hold(name, tensor) if self.graphs else tensor

    def step(self, optimizer, *passes):
        """An optimizer's step on the gradients that ``passes`` leave, functions; with ``--cuda_graph`` as a graph."""

        def part():
            optimizer.zero_grad()
            for each in passes:
                each()
            distributed.average_gradients(optimizer)
            self.scaler.step(optimizer)

        if self.graphs:
            self.graphs.run(optimizer, part, self.learning_rate(), self.warming_up, self.norms_frozen)
        else:
            part()

    def learning_rate(self):
        """The learning rate in force."""
        return self.optimizers[0].param_groups[0]["lr"]

    def update_learning_rate(self):
        """Call after each epoch: sets the next epoch's learning rate."""
        metric = self.epoch_metric()
        for schedule in self.schedules:
            schedule.step(metric)

    def set_requires_grad(self, networks, wanted):
        """Freeze (False) or release (True) the parameters of some networks."""
        for network in networks:
            network.requires_grad_(wanted)

    def end_step(self, paths):
        """What every step ends with; ``paths`` are the files of its batch."""
        self.scaler.update()
        if self.average:
            self.average.update()
        self.watch.note(self.losses(), paths)
        self._total_sum += self.loss_G.detach()
        self._steps += 1

    def epoch_metric(self):
        """The mean of the generators' total since the last call, over all processes: what ``plateau`` watches."""
        mean = distributed.mean(float(self._total_sum) / max(1, self._steps))
        self._total_sum, self._steps = torch.zeros_like(self._total_sum), 0
        return mean

    def check_losses(self):
        """Raise WorkError if a loss since the last check was not a finite number."""
        self.watch.check()

    def freeze_norms(self):
        """Let the batch norms of the generators' networks keep their statistics from now on."""
        if self.average:  # those of the last few images differ from step to step
            self.average.lend_statistics()
        distributed.average_statistics(self._all_networks().values())
        self.norms_frozen = True
        for name in self.generative:
            freeze_batch_norms(self.networks()[name])
