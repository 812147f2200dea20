"""A step's work on a GPU, recorded once and then replayed (CUDA graphs).

Small networks leave a GPU idle: Python asks for its thousands of operations more slowly than it does them. A replay asks once.
What is recorded has to be the same at every step but for the values of its inputs: no branch that depends on the step, nothing
drawn at random on the CPU, no value read back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

WARM_STEPS = 3
"""Steps of a kind that are not recorded: libraries choose their kernels and optimisers make their state in the first."""
Outputs = dict[str, Tensor]


@dataclass
class Recording:
    """A graph, and the tensors that it writes."""

    graph: Any
    outputs: Outputs


class StepRecorder:
    """Does a step's work; from the fourth of a kind on as a replay. On an error while recording it goes on without.

    Args:
        work: takes the inputs, gives tensors by name; may update weights through the optimisers.
        optimisers: all that `work` uses; their learning rates must not change afterwards.
    """

    def __init__(self, work: Callable[..., Outputs], optimisers: Sequence[torch.optim.Optimizer]) -> None:
        self.work, self.optimisers = work, optimisers
        self.inputs: list[Tensor] = []
        self.done: dict[Hashable, int] = {}
        self.recordings: dict[Hashable, Recording] = {}
        self.given_up = False
        self.stream = torch.cuda.Stream()

    def __call__(self, kind: Hashable, *inputs: Tensor) -> Outputs:
        """Results of `work` on inputs of always the same shapes; `kind` names which of several kinds of step this is."""
        if self.given_up:
            return self.work(*inputs)
        if not self.inputs:
            self.inputs = [torch.empty_like(each) for each in inputs]
        for own, given in zip(self.inputs, inputs, strict=True):
            own.copy_(given)
        if self.done.get(kind, 0) < WARM_STEPS:
            self.done[kind] = self.done.get(kind, 0) + 1
            return self._aside()
        if kind not in self.recordings and not self._record(kind):
            return self.work(*inputs)
        recording = self.recordings[kind]
        recording.graph.replay()
        return {name: value.clone() for name, value in recording.outputs.items()}

    def _aside(self) -> Outputs:
        """The work as it is, on a stream of its own, as recording will ask for it."""
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            outputs = self.work(*self.inputs)
        current.wait_stream(self.stream)
        return outputs

    def _record(self, kind: Hashable) -> bool:
        """Record the work, which is not done by that; whether it succeeded."""
        graph = torch.cuda.CUDAGraph()
        groups = [group for optimiser in self.optimisers for group in optimiser.param_groups]
        for group in groups:
            group["capturable"] = True
        try:
            with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                outputs = self.work(*self.inputs)
        except RuntimeError as error:
            self.given_up = True
            self.recordings.clear()
            message = str(error).strip().splitlines()[0]
            print(f"warning: steps are not recorded for replay, which is slower: {message}", file=sys.stderr)
            return False
        finally:
            for group in groups:
                group["capturable"] = False
        self.recordings[kind] = Recording(graph, outputs)
        return True
