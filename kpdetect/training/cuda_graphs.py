"""A step's work on a GPU, recorded once and then replayed (CUDA graphs).

Small networks leave a GPU idle: Python launches thousands of operations more slowly than the GPU runs them. A replay is one
launch. A recorded step may differ only in the values of its inputs: no branch depends on the step, nothing is drawn at random
on the CPU, and no value is read back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kpdetect.messages import log

WARM_STEPS = 3
"""Steps of each kind before recording: in the first steps libraries choose kernels and optimisers create their state."""
Outputs = dict[str, Tensor]


@dataclass
class Recording:
    """A graph, and the tensors that it writes."""

    graph: Any
    outputs: Outputs


class StepRecorder:
    """A step that is replayed after every kind of step has run a few times.

    If recording fails, it logs a warning and continues without. Before torch 2.12, a failure does not free the memory cached
    until then.

    Args:
        work: the function from inputs to tensors by name; may update weights through the optimisers.
        optimisers: all optimisers that `work` uses; their learning rates must not change afterwards.
        kinds: names of the kinds of step.
        device: the device of all tensors.
    """

    def __init__(
        self,
        work: Callable[..., Outputs],
        optimisers: Sequence[torch.optim.Optimizer],
        kinds: Collection[Hashable],
        device: torch.device,
    ) -> None:
        self.work, self.optimisers = work, optimisers
        self.inputs: list[Tensor] = []
        self.done: dict[Hashable, int] = dict.fromkeys(kinds, 0)
        self.recordings: dict[Hashable, Recording] = {}
        self.given_up = False
        self.stream = torch.cuda.Stream(device)
        self.pool = torch.cuda.graph_pool_handle()  # shared by all kinds: only outputs outlive a replay

    def __call__(self, kind: Hashable, *inputs: Tensor) -> Outputs:
        """Run `work` on inputs, which always have the same shapes; `kind` names the kind of step."""
        if self.given_up:
            return self.work(*inputs)
        if not self.inputs:
            self.inputs = [torch.empty_like(each) for each in inputs]
        for static, current in zip(self.inputs, inputs, strict=True):
            static.copy_(current)
        if min(self.done.values()) < WARM_STEPS:  # recorded and unrecorded steps do not share memory
            self.done[kind] += 1
            return self._aside()
        if kind not in self.recordings and not self._record(kind):
            return self.work(*inputs)
        recording = self.recordings[kind]
        recording.graph.replay()
        return {name: value.clone() for name, value in recording.outputs.items()}

    def _aside(self) -> Outputs:
        """Run the work without a graph, on the stream that records later."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            outputs = self.work(*self.inputs)
        current.wait_stream(self.stream)
        return outputs

    def _record(self, kind: Hashable) -> bool:
        """Record the work without running it; return whether this succeeded."""
        graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self.stream.device)
        groups = [group for optimiser in self.optimisers for group in optimiser.param_groups]
        for group in groups:
            group["capturable"] = True
        try:
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
                outputs = self.work(*self.inputs)
        except RuntimeError as error:
            torch.cuda.set_stream(current)  # if the end of the recording fails, torch keeps the recording stream
            current.wait_stream(self.stream)
            self.given_up = True
            self.recordings.clear()
            message = next(iter(str(error.__context__ or error).strip().splitlines()), type(error).__name__)
            log.warning(f"training runs without CUDA graphs, which is slower: {message}")
            return False
        finally:
            for group in groups:
                group["capturable"] = False
        self.recordings[kind] = Recording(graph, outputs)
        return True
