"""Saving a run so that it goes on exactly where it stopped, and starting one from the weights of another."""

from functools import partial
from pathlib import Path

import torch

from models.optim.schedules import Schedule
from util import distributed
from util.checkpoint import (
    cpu_state_dict,
    drop_old,
    load_network,
    net_file,
    read_options,
    read_state_dict,
    read_tensors,
)
from util.errors import WorkError
from util.files import current_file, make_folder, write_set
from util.seed import random_states, restore_random_states

# What pools are called in states that former versions saved.
FORMER_POOLS = {
    "fake_B": "normal fake",
    "fake_A": "low fake",
    "pre_A": "low normalised",
    "edges_B": "normal edges",
    "edges_A": "low edges",
    "text_rec_A": "text of rec_A",
}


class Resumable:
    """The networks, and all else that a run goes on from.

    A subclass provides ``model_names`` (X for each network ``netX``), ``optimizers`` (a list), ``pools``
    {name: ImagePool}, ``scaler``, ``check_losses``, and ``average`` (a ``WeightAverage``) with ``--ema``.
    """

    model_names = ()

    def __init__(self, opt):
        self.opt, self.folder = opt, Path(opt.checkpoints_dir) / opt.name
        self.optimizers, self.schedules, self.pools, self.average = [], [], {}, None

    def networks(self):
        """The networks under their names in a checkpoint."""
        return {name: getattr(self, f"net{name}") for name in self.model_names}

    def setup(self, opt):
        """Make the schedules; load what a run goes on from (``--continue_train``) or starts from (``--init_from``).

        Returns:
            The progress that was saved with the weights (see ``save``), or None for a new run.
        """
        self.schedules = [Schedule(optimizer, opt) for optimizer in self.optimizers]
        progress = None
        if opt.continue_train:
            self.load_networks(opt.epoch)
            progress = self._load_train_state(opt.epoch)
        elif opt.init_from:
            self.start_from(Path(opt.init_from))
        if opt.verbose:
            for name, network in self.networks().items():
                print(f"net{name}: {network}")
        return progress

    def save_networks(self, epoch):
        """Write {epoch}_net_X.pth for every network, all at once; WorkError as from ``save``."""
        self.check_losses()
        write_set(make_folder(self.folder), str(epoch), self._network_files(epoch))

    def save(self, epoch, progress, also=()):
        """Write the networks together with what a resumed run needs ({epoch}_train_state.pth).

        Args:
            epoch: ``latest``, a number or ``iter_N``.
            progress: a dict of numbers that ``setup`` will return.
            also: further names under which the same is kept.

        Raises:
            WorkError: a loss is not a finite number any more: nothing is written over good weights.
        """
        self.check_losses()
        own = {  # what differs from process to process
            "pools": {name: pool.state_dict() for name, pool in self.pools.items()},
            "random": random_states(),
        }
        processes = distributed.gather(own)
        if distributed.is_main():
            state = {
                "progress": progress,
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
                "schedules": [schedule.state_dict() for schedule in self.schedules],
                "scaler": self.scaler.state_dict(),
                "averaged_steps": self.average.steps if self.average else 0,
                "model": {"total_sum": self._total_sum, "steps": self._steps},
                "processes": processes,
            }
            for tag in (*also, epoch):
                files = self._network_files(tag)
                files[_state_file(tag)] = partial(torch.save, state)
                write_set(make_folder(self.folder), tag, files)
            if self.opt.keep_last:
                drop_old(self.folder, self.opt.keep_last)
        distributed.wait_for_all()

    def load_networks(self, epoch):
        """Read {epoch}_net_X.pth into every network.

        Raises:
            WorkError: a file is missing, damaged, or does not fit its network.
        """
        for name, network in self.networks().items():
            load_network(network, read_state_dict(self.folder, epoch, name), self.folder / net_file(epoch, name))
        if self.average:
            for name, network in self.average.networks.items():
                averaged = f"{name}_ema"
                if not current_file(self.folder, net_file(epoch, averaged)).exists():
                    averaged = name  # a run that is averaged only from here on
                load_network(network, read_state_dict(self.folder, epoch, averaged), net_file(epoch, averaged))

    def start_from(self, folder):
        """Read latest_net_X.pth into those networks that a folder has it of.

        Raises:
            WorkError: there is none, or a file is damaged or does not fit its network.
        """
        found = [name for name in self.networks() if current_file(folder, net_file("latest", name)).exists()]
        if not found:
            raise WorkError(f"{folder}: holds no weights to start from (latest_net_*.pth); check --init_from")
        averages, stored = self.average.networks if self.average else {}, read_options(folder) or {}
        for name in found:
            state = self.adapted(name, read_state_dict(folder, "latest", name), stored)
            for networks in (self.networks(), averages):
                if name in networks:
                    load_network(networks[name], state, folder / net_file("latest", name))

    def adapted(self, name, state, stored):
        """The state dict of another run's network as this one needs it; ``stored``: that run's options."""
        return state

    def _network_files(self, epoch):
        networks = self.networks()
        if self.average:
            networks.update({f"{name}_ema": network for name, network in self.average.networks.items()})
        return {
            net_file(epoch, name): partial(torch.save, cpu_state_dict(network)) for name, network in networks.items()
        }

    def _load_train_state(self, epoch):
        path = current_file(self.folder, _state_file(epoch))
        if not path.exists():
            print(
                f"{path}: not there, only weights are: going on with fresh optimizers from epoch {self.opt.epoch_count}"
            )
            return None
        state = read_tensors(path)
        try:
            for kind, restored in (("optimizers", self.optimizers), ("schedules", self.schedules)):
                for target, its_state in zip(restored, state[kind], strict=True):
                    target.load_state_dict(its_state)
            if state["scaler"]:  # empty unless the run was in fp16
                self.scaler.load_state_dict(state["scaler"])
            if self.average:
                self.average.steps = state["averaged_steps"]
            self._total_sum, self._steps = state["model"]["total_sum"].to(self.device), state["model"]["steps"]
            own = state["processes"][distributed.rank() % len(state["processes"])]
            for name, pool in self.pools.items():
                pool.load_state_dict(own["pools"][name if name in own["pools"] else FORMER_POOLS[name]])
            restore_random_states(own["random"])
            return state["progress"]
        except (KeyError, TypeError, ValueError) as error:
            raise WorkError(f"{path}: does not fit this run ({error}); it was written by another version") from error


def _state_file(epoch):
    return f"{epoch}_train_state.pth"
