"""A step's work on a GPU, recorded once and then replayed (CUDA graphs).

If networks are small, a GPU runs operations faster than Python launches them. A replay launches all operations of a step at
once. Steps may be recorded if they differ only in the values of their inputs. So no branch may depend on the step,
no random number may come from the CPU, and no value may be read back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kpdetect.messages import log

WARM_STEPS = 3
"""Number of steps of each kind before recording. In these steps libraries choose kernels and optimisers create their state."""
Outputs = dict[str, Tensor]


@dataclass
class Recording:
    """A recorded CUDA graph, with the output tensors that each replay fills."""

    graph: Any
    outputs: Outputs


class StepRecorder:
    """A training step that runs normally a few times, is then recorded, and is replayed from then on.

    If recording fails, a warning is logged and the steps run normally. Before torch 2.12, the memory that was cached until then
    is not freed.

    Args:
        work: function that does the work of a step and returns tensors by name. It may update weights through `optimisers`.
        optimisers: all optimisers that `work` uses. Their learning rates must not change after the recording.
        kinds: names of the kinds of step. Each kind is recorded separately.
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
        self.pool = torch.cuda.graph_pool_handle()  # one pool for all kinds: after a replay only outputs are used

    def __call__(self, kind: Hashable, *inputs: Tensor) -> Outputs:
        """Run or replay `work` on inputs. The inputs of a kind of step must always have the same shapes."""
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
        """Run `work` without recording, on the CUDA stream that is used for recording later."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            outputs = self.work(*self.inputs)
        current.wait_stream(self.stream)
        return outputs

    def _record(self, kind: Hashable) -> bool:
        """Record `work` without running it. Return whether this succeeded."""
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
