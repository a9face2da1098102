"""Loss curves and current pictures in a browser, when a visdom server answers."""

import logging
import math

import torch


class LiveView:
    """Sends losses and pictures to a running visdom server; without one it does nothing.

    Args:
        opt: reads display_id, display_server, display_port, display_env, display_ncols, display_winsize, name.
    """

    def __init__(self, opt):
        self.opt, self.server = opt, None
        self.pictures, self.history = [], []
        if opt.display_id == 0:
            return
        try:
            import visdom  # imported where it is used: it is optional
        except ImportError:
            print("live curves are off: visdom is not installed")
            return
        logging.getLogger("visdom").setLevel(logging.CRITICAL)  # it prints tracebacks where one line is enough
        try:
            self.server = visdom.Visdom(
                server=opt.display_server,
                port=opt.display_port,
                env=opt.display_env,
                raise_exceptions=True,
                use_incoming_socket=False,
            )
        except (OSError, ConnectionError):
            print(f"live curves are off: no visdom server at {opt.display_server}:{opt.display_port}")

    def show_losses(self, pictures, losses):
        """Extend the curves: ``pictures`` seen so far, ``losses`` {name: float}."""
        if self.server is None:
            return
        self.pictures.append(pictures)
        self.history.append(list(losses.values()))
        options = {"title": f"{self.opt.name}: losses", "legend": list(losses), "xlabel": "pictures", "ylabel": "loss"}
        self._send("line", Y=self.history, X=self.pictures, opts=options, win=self.opt.display_id)

    def show_pictures(self, visuals):
        """Show the current pictures, {stage: (N, C, H, W) in [-1, 1]}, the first of each batch."""
        if self.server is None:
            return
        stages = torch.stack([(batch[0].expand(3, -1, -1).float().cpu() + 1) * 127.5 for batch in visuals.values()])
        rows = math.ceil(len(stages) / self.opt.display_ncols)
        options = {
            "title": f"{self.opt.name}: {', '.join(visuals)}",
            "width": self.opt.display_winsize,
            "height": self.opt.display_winsize * rows // self.opt.display_ncols,
        }
        stages = stages.clamp(0, 255)
        self._send("images", stages, nrow=self.opt.display_ncols, opts=options, win=self.opt.display_id + 1)

    def _send(self, kind, *args, win, **kwargs):
        try:
            getattr(self.server, kind)(*args, win=f"{self.opt.name} {win}", **kwargs)
        except (OSError, ConnectionError):
            print("live curves are off: the visdom server does not answer any more")
            self.server = None
