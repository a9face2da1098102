"""Saving a run so that it goes on exactly where it stopped, and starting one from the weights of another."""

import contextlib
from functools import partial
from pathlib import Path

from models.optim.finite_watch import check_weights
from models.optim.saved_state import check_optimizer, check_pool, check_progress
from models.optim.schedules import Schedule
from util import distributed
from util.checkpoint import (
    advice_on_finite_weights,
    cpu_state_dict,
    drop_old,
    load_network,
    net_file,
    read_options,
    read_state_dict,
    state_file,
)
from util.errors import WorkError
from util.files import current_file, make_folder, write_set
from util.going_on import going_on
from util.seed import random_states, restore_random_states
from util.tensor_files import NotFinite, read_tensors, write_tensors

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
    {name: ImagePool}, ``scaler``, ``check_losses``, ``average`` (a ``WeightAverage``) with ``--ema``, and the sum of
    the totals in this epoch, ``_total_sum`` over ``_steps``.
    """

    model_names = ()

    def __init__(self, opt):
        self.opt, self.folder = opt, Path(opt.checkpoints_dir) / opt.name
        self.saved_at = None  # images seen when the run was last saved, or loaded
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
            if opt.epoch != "latest" and "epoch" not in opt.given and not opt.load_iter:
                print(f"{self.folder}: there are no latest weights: going on from those of {opt.epoch}")
            self.load_networks(opt.epoch)
            progress = self._load_train_state(opt.epoch)
            self.saved_at = progress and progress.get("pictures")
        elif opt.init_from:
            self.start_from(Path(opt.init_from))
        if opt.verbose:
            for name, network in self.networks().items():
                print(f"net{name}: {network}")
        return progress

    def save_networks(self, epoch):
        """Write {epoch}_net_X.pth for every network, all at once; returns and raises as ``save`` does."""
        self.check_finite()
        with going_on("not saved: ") as went:
            write_set(make_folder(self.folder), str(epoch), self._network_files(epoch))
        return went.well

    def save(self, epoch, progress, also=()):
        """Write the networks together with what a resumed run needs ({epoch}_train_state.pth).

        Args:
            epoch: ``latest``, a number or ``iter_N``.
            progress: a dict of numbers that ``setup`` will return.
            also: further names under which the same is kept.

        Returns:
            Whether it was written. What a full disk, for one, keeps from being written is told in one line: training
            can go on, and the next save may work.

        Raises:
            NotFinite: losses or weights are not finite numbers any more: nothing is written over good weights.
        """
        distributed.average_statistics(self._all_networks().values())
        self.check_finite()
        own = {  # what differs from process to process
            "pools": {name: pool.state_dict() for name, pool in self.pools.items()},
            "random": random_states(),
        }
        processes = distributed.gather(own)
        saved = not distributed.is_main() or self._write(epoch, progress, also, processes)
        distributed.wait_for_all()
        if saved:
            self.saved_at = progress.get("pictures")
        return saved

    def _write(self, epoch, progress, also, processes):
        """Whether the files of ``epoch`` were written, after those of ``also``: a killed run writes these again."""
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
            files[state_file(tag)] = partial(write_tensors, state)
            with going_on(f"not saved after {progress.get('pictures')} images: ") as went:
                write_set(make_folder(self.folder), tag, files)
        if self.opt.keep_last:
            with going_on():
                drop_old(self.folder, self.opt.keep_last)
        return went.well

    def check_finite(self):
        """Raise NotFinite if a loss since the last check, or a weight, is not a finite number."""
        self.check_losses()
        check_weights(self._all_networks())

    @contextlib.contextmanager
    def rescuing(self, progress):
        """Whatever ends the body of a ``with`` statement: first the run is saved as ``latest``, if that can be.

        Not among several processes: each would have to take part, and they no longer keep step.
        """
        try:
            yield
        except NotFinite:
            raise
        except Exception:
            if distributed.world_size() == 1 and progress.get("pictures", 0) != (self.saved_at or 0):
                with contextlib.suppress(Exception):  # the first error is the one to be told
                    if self.save("latest", progress):
                        print(f"\nsaved after {progress.get('pictures')} images, before what follows ended the run")
            raise

    def load_networks(self, epoch):
        """Read {epoch}_net_X.pth into every network.

        Raises:
            WorkError: a file is missing, damaged, or does not fit its network.
        """
        try:
            for name, network in self.networks().items():
                self._load(network, epoch, name)
            for name, network in self.average.networks.items() if self.average else ():
                averaged = current_file(self.folder, net_file(epoch, f"{name}_ema")).exists()
                self._load(network, epoch, f"{name}_ema" if averaged else name)  # or averaged only from here on
        except NotFinite as error:
            raise WorkError(f"{error}; {advice_on_finite_weights(self.folder)}") from error

    def _load(self, network, epoch, name):
        load_network(network, read_state_dict(self.folder, epoch, name), self.folder / net_file(epoch, name))

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

    def _all_networks(self):
        """The networks and their averages, under their names in a checkpoint."""
        averages = self.average.networks if self.average else {}
        return {**self.networks(), **{f"{name}_ema": network for name, network in averages.items()}}

    def _network_files(self, epoch):
        return {
            net_file(epoch, name): partial(write_tensors, cpu_state_dict(network))
            for name, network in self._all_networks().items()
        }

    def _load_train_state(self, epoch):
        path = current_file(self.folder, state_file(epoch))
        try:
            state = read_tensors(path)
        except FileNotFoundError:
            print(
                f"{path}: not there, only weights are: going on with fresh optimizers from epoch {self.opt.epoch_count}"
            )
            return None
        try:
            for kind, restored in (("optimizers", self.optimizers), ("schedules", self.schedules)):
                if len(state[kind]) != len(restored):
                    raise ValueError(f"it has {len(state[kind])} {kind}, not {len(restored)}")
                for target, its_state in zip(restored, state[kind], strict=True):
                    if kind == "optimizers":
                        check_optimizer(target, its_state)
                    target.load_state_dict(its_state)
            if state["scaler"]:  # empty unless the run was in fp16
                self.scaler.load_state_dict(state["scaler"])
            if self.average:
                self.average.steps = int(state["averaged_steps"])
            total_sum, self._steps = state["model"]["total_sum"], int(state["model"]["steps"])
            self._total_sum = total_sum.to(self._total_sum).reshape(())
            if not state["processes"]:
                raise KeyError("processes")
            own = state["processes"][distributed.rank() % len(state["processes"])]
            for name, pool in self.pools.items():
                kept = own["pools"][name if name in own["pools"] else FORMER_POOLS[name]]
                check_pool(kept)
                pool.load_state_dict(kept)
            restore_random_states(own["random"])
            return check_progress(state["progress"])
        except Exception as error:  # whatever stumbles over a state of another version, or another file
            problem = str(error) if isinstance(error, ValueError) else "its content is of another kind"
            if isinstance(error, KeyError):
                problem = f"there is no {error}"
            advice = "it was written by another version; moved away, the run goes on with fresh optimizers"
            raise WorkError(f"{path}: does not fit this run ({problem}); {advice}") from error
