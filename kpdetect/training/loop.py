"""The training loop of all networks: budgets, metrics, sample sheets, checkpoints, stopping and continuing.

    run_until -> train_step (of the subclass) -> periodic work, a list of (every, action)

All random numbers of step t depend only on the seed and t, so a checkpoint holds no random state. On a CPU, a continued run is
bit-equal to an uninterrupted one. A GPU adds numbers in no fixed order. No schedule depends on elapsed time.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from kpdetect.config import LARGEST_SEED, StrictConfig
from kpdetect.errors import CheckpointError, ConfigError, TrainingError
from kpdetect.files.reading import reading
from kpdetect.messages import say
from kpdetect.progress import Pace, Progress
from kpdetect.training.budget import Budget
from kpdetect.training.checkpoints import load_checkpoint, read_model_description, save_checkpoint
from kpdetect.training.data_key import DataKey, images_in
from kpdetect.training.distributed import agreed, anywhere, require_divisible
from kpdetect.training.forecast import Forecast, Line, Needs, forecast_lines, needs_lines
from kpdetect.training.interrupts import StopRequest
from kpdetect.training.machine import disk_there, memory_there, peak_memory
from kpdetect.training.optimiser_state import Stateful, require_state, tensor_bytes
from kpdetect.training.run_folder import RunFolder, code_commit, hardware, next_sheet
from kpdetect.training.runtime import Runtime

MOST_IMAGES = 1 << 16
"""Largest number of images or pairs in one step."""
UNLIMITED, MOST_STEPS = 10**9, 10**12
"""Number of steps of a run that only time ends, and the largest number. No machine reaches it; products with it fit 64 bits."""


class TrainingConfig(StrictConfig):
    """The settings of every training: how long to train, and how often to report."""

    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Seed of all random numbers."""
    steps: int = Field(1, ge=1, le=MOST_STEPS)
    """Number of steps to train. No learning rate depends on it, so a finished run can be continued."""
    checkpoint_every: int = Field(500, ge=1)
    """Steps between checkpoints."""
    sample_every: int = Field(500, ge=1)
    """Steps between sample sheets. Earlier sheets are drawn after 15 and 30 seconds, 1, 2, 4 minutes and so on."""
    log_every: int = Field(50, ge=1)
    """Steps between lines of metrics."""


BUDGETS = ("steps", "checkpoint_every", "sample_every", "log_every", "augment_on", "replay")
"""Keys of the configuration whose values may change when a run is continued."""


SAVE_SECONDS = 300.0
"""Longest time between checkpoints in seconds, however slow the steps are. It does not change the result of a training."""
PACE_SECONDS, LEAST_PACE_STEPS = 8.0, 10
"""Seconds and steps for which a run measures its speed. A run limited by steps measures a tenth of them, but at least 10."""


def images_of(run: RunFolder, kind: str) -> str | None:
    """Read the key of the images that a run is trained on. Return None if it has no checkpoint yet."""
    return images_in(str(load_checkpoint(run.checkpoint, kind).get("data", ""))) if run.checkpoint.exists() else None


class Trainer(ABC):
    """A run that can be stopped and continued.

    Args:
        run: folder of the run.
        config: configuration of the run.
        batch: number of images per step.
        data: key of the training data. A continued run must have the same key.
        runtime: device and precision.
    """

    kind: ClassVar[str]
    """Name of the trained network in checkpoints."""
    batch_key, rate_key = "batch", "rate"
    """Names of the settings that hold the number of images per step, and the learning rate."""
    share = 1.0
    """Share of the user's minutes that this training gets. The advice about too few minutes uses it."""
    warm_steps = 3
    """Number of steps at the start that are slower than the others."""
    other_data: str = "other data (files were added, removed or changed, or others are excluded)"
    """What an error message says about a checkpoint of other training data."""

    def __init__(self, run: RunFolder, config: TrainingConfig, batch: int, data: DataKey, runtime: Runtime) -> None:
        require_divisible(batch, runtime, self.batch_key)
        self.run, self.schedule, self.batch, self.runtime = run, config, batch, runtime
        self.data = data
        self.step, self.seconds = 0, 0.0
        self.carried: dict[str, Tensor] = {}
        self.saved = time.monotonic()

    @abstractmethod
    def stateful(self) -> dict[str, Stateful]:
        """Return the parts whose state a checkpoint holds, by their names in the checkpoint."""

    @abstractmethod
    def train_step(self) -> dict[str, Tensor]:
        """Do one optimisation step. Return metrics as scalars."""

    @abstractmethod
    def write_sheet(self) -> None:
        """Write the sample sheet of this step."""

    @abstractmethod
    def write_weights(self) -> None:
        """Write the weights file, the result of the run."""

    def forecast(self, rate: float, steps: int, seconds_left: float | None) -> list[Line]:
        """Forecast the rest of the run from its measured speed, in lines with their `logging` levels.

        Args:
            rate: steps per second.
            steps: number of the step at which the run ends.
            seconds_left: remaining training time; None if only `steps` ends the run.
        """
        seen, limit = self.step * self.batch, steps * self.batch
        forecast = Forecast(rate * self.batch, seen, limit, self.seconds, seconds_left, self.kind)
        return [*forecast_lines(forecast, self.share), *needs_lines(self.needs(self.run.folder))]

    def needs(self, folder: Path) -> Needs:
        """Measure the memory and disk that this training needs, after some steps. `folder` is the folder it writes to."""
        device, state = self.runtime.device, sum(tensor_bytes(part.state_dict()) for part in self.stateful().values())
        memory, disk = peak_memory(device) + self.closing_memory, 3 * state  # checkpoints, weights
        return Needs(memory, memory_there(device), disk, disk_there(folder), device.type == "cuda", self.batch_key)

    @property
    def closing_memory(self) -> int:
        """Number of bytes that the end of the training needs in addition to those of its steps."""
        return 0

    def close(self) -> None:
        """End the threads that prepare batches, if there are any."""
        return

    def is_done(self) -> bool:
        """Tell whether more training would not help. The run then ends before its budget is used up."""
        return False

    @property
    def kept(self) -> str:
        """A sentence that says which checkpoint of a failed run is kept."""
        return "the last good checkpoint is kept" if self.run.checkpoint.exists() else "there is no checkpoint yet"

    def periodic(self) -> list[tuple[int, Callable[[], object]]]:
        """List the work that is done every few steps, as (number of steps between two calls, function)."""
        return [(self.schedule.sample_every, self.write_sheet), (self.schedule.checkpoint_every, self.save)]

    def run_until(self, budget: Budget) -> None:
        """Train until the budget is used up. Save at the end and on Ctrl-C.

        Raises:
            TrainingError: a loss is not finite. The last good checkpoint is kept.
            KeyboardInterrupt: Ctrl-C or termination; the current step is finished and saved first.
        """
        if agreed(self._finished(budget), self.runtime):
            return
        if self.runtime.is_main and self.runtime.events:
            self.run.write_events(self.step)
        left = budget.most_seconds_left(self.step, self.seconds)
        pace, early = self._pace(budget.steps, left), next_sheet(self.seconds)
        start, total = (
            self.step * self.batch,
            None if left is not None and budget.steps >= UNLIMITED else budget.steps * self.batch,
        )
        with StopRequest() as stop, closing(self):  # until the end of the run, because torchrun sends a signal more than once
            with Progress(total, f"train {self.kind}", start=start, seconds=left) as bar:
                while self._goes_on(budget, stop):
                    began = time.monotonic()
                    metrics = self.train_step()
                    self.step += 1
                    self._require_finite(metrics)  # waits for the device, so that its work is timed
                    self.seconds += time.monotonic() - began
                    if self.runtime.is_main:
                        bar.update(self.batch, **_losses(metrics))
                        if (rate := pace.measured(self.seconds)) is not None:
                            left = budget.seconds_left(self.step, self.seconds, rate)
                            bar.limit(left)
                            say(self.forecast(rate, budget.steps, left))
                        self._after_step(metrics, bar.rate)
                        if self.step < self.schedule.sample_every and self.seconds >= early:
                            self.write_sheet()
                            early = next_sheet(self.seconds)
            if self.runtime.is_main:
                self.save()
                self.write_sheet()
                self.write_weights()  # last, because the weights of the last step mark a finished run
        if stop.requested:
            raise KeyboardInterrupt

    def _pace(self, steps: int, left: float | None) -> Pace:
        """Make a measurement of the speed that lasts `PACE_SECONDS`, or less if the budget is small."""
        seconds = PACE_SECONDS if left is None else min(PACE_SECONDS, left / 10)
        return Pace(self.warm_steps, seconds, steps=max(LEAST_PACE_STEPS, (steps - self.step) // 10))

    def _goes_on(self, budget: Budget, stop: StopRequest) -> bool:
        ends = budget.is_used_up(self.step, self.seconds) or stop.requested or self.is_done()
        return agreed(not ends, self.runtime)

    def _after_step(self, metrics: dict[str, Tensor], rate: float) -> None:
        if self.step % self.schedule.log_every == 0:
            self._log(metrics, rate)
        for every, action in self.periodic():
            if self.step % every == 0:
                action()
        if time.monotonic() - self.saved > SAVE_SECONDS:
            self.save()

    def _finished(self, budget: Budget) -> bool:
        """Tell whether an earlier call has used up the budget and has written the weights of this step."""
        if self.step == 0 or not (budget.is_used_up(self.step, self.seconds) or self.is_done()):
            return False
        return self.run.weights.exists() and read_model_description(self.run.weights).step == self.step

    def _log(self, metrics: dict[str, Tensor], rate: float) -> None:
        values = {name: round(float(value), 5) for name, value in metrics.items()}
        self.run.log(
            step=self.step, images=self.step * self.batch, seconds=round(self.seconds, 1), rate=round(rate, 1), **values
        )

    def _require_finite(self, metrics: dict[str, Tensor]) -> None:
        """Check that the losses of a step are finite, before anything is saved."""
        finite = bool(torch.stack([value.detach().float() for value in metrics.values()]).isfinite().all())
        if anywhere(not finite, self.runtime):  # all processes must stop together, else the others wait for ever
            raise TrainingError(
                f"{self.run.folder}: a loss is not finite at step {self.step}; {self.kept}. "
                f"Try a lower learning rate (`overrides={self.rate_key}=...`) or another `seed`, in a new `out`"
            )

    def description(self, config: StrictConfig, *, kept_step: int | None = None, **entries: Any) -> dict[str, Any]:
        """Make the description for the weights file.

        Args:
            config: configuration from which a reader of the weights file builds the network.
            kept_step: step of the weights; by default the last step.
            entries: further entries, as values for JSON.
        """
        seen = (self.step if kept_step is None else kept_step) * self.batch
        progress: dict[str, Any] = {"step": self.step} | ({} if kept_step is None else {"kept_step": kept_step})
        progress |= {"images_seen": seen, "minutes": round(self.seconds / 60, 1)}
        made_by = {"commit": code_commit(), "hardware": hardware()}
        return {"config": config.model_dump(mode="json"), **entries, **progress, **made_by}

    def save(self) -> None:
        """Write the checkpoint."""
        state: dict[str, Any] = {name: part.state_dict() for name, part in self.stateful().items()}
        self.saved = time.monotonic()
        carried = {name: float(value) for name, value in self.carried.items()}
        progress = {"step": self.step, "seconds": self.seconds, "data": self.data.text, "carried": carried}
        save_checkpoint(self.run.checkpoint, self.kind, state | progress)

    def restore(self) -> None:
        """Continue from the checkpoint, if there is one.

        Raises:
            CheckpointError: the checkpoint is damaged, of another kind, or holds networks of another shape.
            ConfigError: the run has other training data.
        """
        if not self.run.checkpoint.exists():
            if self.runtime.is_main:
                self.run.rewind(0)
            return
        state = load_checkpoint(self.run.checkpoint, self.kind)
        if not self.data.continues(state.get("data")):
            raise ConfigError(
                f"{self.run.folder}: was trained on {self.other_data}; give another `out`, or the same data to continue"
            )
        with reading(
            self.run.checkpoint, CheckpointError, "it belongs to another configuration; restore the right one or delete it"
        ):
            for name, part in self.stateful().items():
                if isinstance(part, torch.optim.Optimizer):
                    require_state(part, state[name])
                part.load_state_dict(state[name])
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        carried = dict(state.get("carried", {}))  # not in checkpoints of earlier versions
        self.carried = {str(name): torch.tensor(float(value), device=self.runtime.device) for name, value in carried.items()}
        if self.runtime.is_main:
            self.run.rewind(self.step)


def _losses(metrics: dict[str, Tensor]) -> dict[str, float]:
    return {name.removeprefix("loss_"): float(value) for name, value in metrics.items() if name.startswith("loss_")}
