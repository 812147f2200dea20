"""A step's work on a GPU, recorded once and then replayed (CUDA graphs).

Small networks leave a GPU idle: Python asks for its thousands of operations more slowly than it does them. A replay asks once.
What is recorded has to be the same at every step but for the values of its inputs: no branch that depends on the step, nothing
drawn at random on the CPU, no value read back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kpdetect.messages import log

WARM_STEPS = 3
"""Steps of each kind before any is recorded: libraries choose their kernels and optimisers make their state in the first."""
Outputs = dict[str, Tensor]


@dataclass
class Recording:
    """A graph, and the tensors that it writes."""

    graph: Any
    outputs: Outputs


class StepRecorder:
    """Does a step's work; once every kind of step was done a few times, as a replay.

    Where recording fails it says so and goes on without. Before torch 2.12 memory that was cached until then is not given back
    after such a failure.

    Args:
        work: takes the inputs, gives tensors by name; may update weights through the optimisers.
        optimisers: all that `work` uses; their learning rates must not change afterwards.
        kinds: names of the kinds of step there are.
        device: of all tensors.
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
        self.pool = torch.cuda.graph_pool_handle()  # of all kinds: nothing in it but outputs outlives a replay

    def __call__(self, kind: Hashable, *inputs: Tensor) -> Outputs:
        """Results of `work` on inputs of always the same shapes; `kind` names which kind of step this is."""
        if self.given_up:
            return self.work(*inputs)
        if not self.inputs:
            self.inputs = [torch.empty_like(each) for each in inputs]
        for own, given in zip(self.inputs, inputs, strict=True):
            own.copy_(given)
        if min(self.done.values()) < WARM_STEPS:  # recorded memory is not shared with steps that are not
            self.done[kind] += 1
            return self._aside()
        if kind not in self.recordings and not self._record(kind):
            return self.work(*inputs)
        recording = self.recordings[kind]
        recording.graph.replay()
        return {name: value.clone() for name, value in recording.outputs.items()}

    def _aside(self) -> Outputs:
        """The work as it is, on the stream on which it will be recorded."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            outputs = self.work(*self.inputs)
        current.wait_stream(self.stream)
        return outputs

    def _record(self, kind: Hashable) -> bool:
        """Record the work, which is not done by that; whether it succeeded."""
        graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self.stream.device)
        groups = [group for optimiser in self.optimisers for group in optimiser.param_groups]
        for group in groups:
            group["capturable"] = True
        try:
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
                outputs = self.work(*self.inputs)
        except RuntimeError as error:
            torch.cuda.set_stream(current)  # torch leaves the other one where ending the recording fails
            current.wait_stream(self.stream)
            self.given_up = True
            self.recordings.clear()
            message = next(iter(str(error.__context__ or error).strip().splitlines()), type(error).__name__)
            log.warning(f"steps are not recorded for replay, which is slower: {message}")
            return False
        finally:
            for group in groups:
                group["capturable"] = False
        self.recordings[kind] = Recording(graph, outputs)
        return True
