"""Train a detector on image-keypoint pairs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kpdetect.coords import to_pixels
from kpdetect.detector.batches import HELD_OUT_VARIED, Batches, TrainingPairs
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.device_batches import DeviceBatches
from kpdetect.detector.held_out import Patience, calibrate, find_keypoints, keypoint_layout
from kpdetect.detector.job import DetectorJob
from kpdetect.detector.learned import LearnedFrom
from kpdetect.detector.losses import coordinate_distance, heatmap_cross_entropy, keypoint_weights, weighted_mean
from kpdetect.detector.model import build_detector
from kpdetect.detector.network import read_heatmaps
from kpdetect.draw import contact_sheet, draw_keypoints
from kpdetect.files.sources import merge_sources
from kpdetect.images.image_files import write_image
from kpdetect.training.averaging import averaged_copy, update_average
from kpdetect.training.checkpoints import save_weights
from kpdetect.training.cuda_graphs import WARM_STEPS, StepRecorder
from kpdetect.training.data_key import DataKey
from kpdetect.training.distributed import average_gradients, main_first, synchronised
from kpdetect.training.initial_weights import InitialWeights, began_with, begin
from kpdetect.training.loop import BUDGETS, Trainer
from kpdetect.training.optimiser_state import Stateful
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime, channels_last
from kpdetect.training.seeds import derived_seed

SHEET_IMAGES = 24


def run_detector_job(job: DetectorJob) -> Path:
    """Train a detector on image-keypoint pairs, or continue the run in `job.out`.

    Returns:
        The weights file, model.safetensors.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError, OutputError: see `kpdetect.errors`.
        TrainingError: a loss is not finite. The last good checkpoint is kept.
        KeyboardInterrupt: Ctrl-C; the current step is finished and saved first.
    """
    batches, learned = job.learn()
    with main_first(job.runtime):
        run = RunFolder(job.out, job.config, exempt=BUDGETS, writes=job.runtime.is_main)
    trainer = DetectorTrainer(run, batches, learned, job.config, job.runtime)
    begin(trainer, job.initial)
    if job.runtime.is_main:
        merge_sources(job.out, learned.sources)
    trainer.run_until(job.budget(job.config.steps))
    return run.weights


class DetectorTrainer(Trainer):
    """The training of a detector. It holds the network, the optimiser and the averaged weights."""

    kind = "detector"

    def __init__(
        self, run: RunFolder, batches: Batches, learned: LearnedFrom, config: DetectorConfig, runtime: Runtime
    ) -> None:
        super().__init__(run, config, config.batch, DataKey(source=learned.key), runtime)
        self.batches, self.learned, self.config = batches, learned, config
        batches.rank, batches.world = runtime.rank, runtime.world
        self.feed = DeviceBatches(batches, runtime.device) if runtime.augments(config.augment_on) else batches
        torch.manual_seed(derived_seed(config.seed, "weights"))
        self.detector = synchronised(build_detector(config.model, learned.keypoints), runtime).to(runtime.device)
        channels_last(self.detector)
        self.average = averaged_copy(self.detector)
        self.adam = torch.optim.AdamW(self.detector.parameters(), lr=config.rate, weight_decay=config.weight_decay, fused=True)
        self.patience = Patience(config.patience)
        self.held_out = self.batches.held_out()
        self.upcoming: Generator[TrainingPairs, None, None] | None = None
        runtime.prepare(self.detector)
        self.recorder = None
        if config.replay and runtime.replays:
            self.recorder = StepRecorder(self.update, [self.adam], ["step"], runtime.device)
            self.warm_steps = config.warmup + WARM_STEPS + 1
        self.restore()

    def stateful(self) -> dict[str, Stateful]:
        """Return the parts whose state a checkpoint holds."""
        return {"detector": self.detector, "average": self.average, "adam": self.adam, "patience": self.patience}

    def start_from(self, initial: InitialWeights) -> None:
        """Load the weights of a trained detector.

        Raises:
            CheckpointError: the weights do not fit this network.
        """
        initial.load_into(self.detector, self.average)
        if self.runtime.is_main:
            initial.record(self.run)

    def train_step(self) -> dict[str, Tensor]:
        """Update the network on the next batch. Return the losses of the batch."""
        if self.upcoming is None:
            self.upcoming = self.feed.ahead(self.step, self.runtime.workers)
        config, pairs = self.config, next(self.upcoming).to(self.runtime.device)
        for group in self.adam.param_groups:
            group["lr"] = config.rate * min(1.0, (self.step + 1) / max(1, config.warmup))
        recorder = self.recorder if self.step >= config.warmup else None  # a recorded step keeps its learning rate
        losses = self.update(*pairs.tensors) if recorder is None else recorder("step", *pairs.tensors)
        update_average(self.average, self.detector, config.average_decay, self.step)
        return losses

    def update(self, images: Tensor, keypoints: Tensor, visible: Tensor) -> dict[str, Tensor]:
        """Update the network on a given batch, and return the losses. All work is done on the device of the network."""
        config = self.config
        with self.runtime.autocast():
            logits = self.detector(images)
        weights = keypoint_weights(keypoints, visible, config.hidden_weight)
        predicted, _ = read_heatmaps(logits)
        distance = weighted_mean(coordinate_distance(predicted, keypoints), weights)
        sigma = max(config.target_sigma, 1 / min(logits.shape[2:]))  # half a cell; narrower biases predictions
        excess = weighted_mean(heatmap_cross_entropy(logits, keypoints, sigma), weights)
        self.adam.zero_grad()
        (config.coordinate_weight * distance + config.heatmap_weight * excess).backward()  # type: ignore[no-untyped-call]
        average_gradients(self.detector.parameters(), self.runtime)
        self.adam.step()
        return {"loss_coordinate": distance.detach(), "loss_heatmap": excess.detach()}

    def close(self) -> None:
        """End the threads that prepare batches."""
        if self.upcoming is not None:
            self.upcoming.close()
        self.upcoming = None

    @property
    def closing_memory(self) -> int:
        """Number of bytes of the held-out pairs and decoys on which the confidence is calibrated at the end."""
        return 2 * HELD_OUT_VARIED * self.held_out.images[0].nbytes

    def predict_held_out(self) -> tuple[Tensor, Tensor]:
        """Predict keypoints [count, K, 2] and heatmap mass [count, K] of the held-out pairs with the averaged weights."""
        return find_keypoints(self.average, self.held_out.images, self.runtime)

    def held_out_error(self) -> float:
        """Measure the mean error of the keypoints inside the held-out images, in percent of the image's side."""
        return self._error_of(self.predict_held_out()[0])

    def _error_of(self, predicted: Tensor) -> float:
        weights = keypoint_weights(self.held_out.keypoints, self.held_out.visible, 1.0)
        return float(weighted_mean(coordinate_distance(predicted, self.held_out.keypoints), weights)) * 50

    def is_done(self) -> bool:
        """Tell whether the held-out error has stopped falling."""
        return self.patience.exhausted

    def periodic(self) -> list[tuple[int, Callable[[], object]]]:
        """List the work that is done every few steps. The measurement comes before the checkpoint, which stores it."""
        return [(self.config.sample_every, self.measure), *super().periodic()]

    def measure(self) -> None:
        """Log the held-out error and record it for `is_done`."""
        error = self.held_out_error()
        self.patience.measure(error)
        self.run.log(step=self.step, held_out_percent=round(error, 4))

    def write_sheet(self) -> None:
        """Draw held-out pairs in two rows: above with their true keypoints, below with the predicted ones."""
        predicted, confidence = self.predict_held_out()
        pixels = ((self.held_out.images[:SHEET_IMAGES] + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        size = pixels.shape[1:3]
        columns = []
        for image, true, guess, sure in zip(pixels, self.held_out.keypoints, predicted, confidence, strict=False):
            upper = draw_keypoints(image, to_pixels(true.numpy(), size))
            lower = draw_keypoints(image, to_pixels(guess.numpy(), size), sure.numpy())
            columns.append(np.concatenate([upper, lower]))
        write_image(self.run.sample(self.step), contact_sheet(columns, columns=12))

    def write_weights(self) -> None:
        """Write the averaged weights with their description."""
        learned = self.learned
        predicted, _ = self.predict_held_out()
        calibration = calibrate(self.average, self.batches, self.runtime, self.run.folder)
        description = self.description(
            self.config,
            keypoints=learned.keypoints,
            pair_size=list(learned.size),
            crop=learned.provenance.get("crop", "centre"),
            provenance=learned.provenance,
            pairs=learned.pairs,
            began_with=began_with(self.run),
            held_out_percent=round(self._error_of(predicted), 4),
            keypoint_layout=keypoint_layout(predicted),
            calibration=calibration.description(),
        )
        save_weights(self.run.weights, "detector", self.average.state_dict(), description)
