"""Parts of a training step as CUDA graphs (--cuda_graph): launched as a whole, not kernel by kernel."""

import torch


class StepGraphs:
    """Runs the parts of a step; what a part reads from outside is held in one place for all steps.

    A part must launch the same kernels at every step, and must not wait for the GPU. All of training runs on a stream
    of its own, as recording asks for.

    Args:
        optimizers: those that the parts step.
    """

    def __init__(self, optimizers):
        self.optimizers, self.held, self.keys, self.replays = optimizers, {}, {}, {}
        if torch.cuda.is_available():
            torch.cuda.set_stream(torch.cuda.Stream())

    def hold(self, name, tensor):
        """An input of the parts, or None, under its name: the tensor to read it from, the same at every step."""
        held = self.held.get(name)
        if tensor is None or held is None or held.shape != tensor.shape:
            self.held[name] = None if tensor is None else tensor.clone()
        else:
            held.copy_(tensor)
        return self.held[name]

    def run(self, name, part, *settings):
        """Call ``part()``, known by its name; from the second time with the same settings and inputs on, as a graph."""
        key = (settings, *map(id, self.held.values()))
        if self.keys.get(name) != key:  # as usual: this sets up all that is made when it is first needed
            self.keys[name] = key
            self.replays.pop(name, None)
            part()
            return
        if name not in self.replays:
            self.replays[name] = self._recorded(part)
        self.replays[name]()

    def _recorded(self, part):
        """Record what ``part()`` launches, which is not run yet; returns the function that launches it."""
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        graph = torch.cuda.CUDAGraph()
        for group in groups:  # asked for while recording; a fused step is the same
            group["capturable"] = True
        try:
            # Only of this thread: the one that pins images goes on meanwhile.
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
                part()
        finally:
            for group in groups:
                group["capturable"] = False
        return graph.replay
