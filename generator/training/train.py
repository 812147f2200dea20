"""Training of the generator.

`train_step` calls `update`, in which first the discriminators learn (`Adversary.learn`) and then the generator
(`update_generator`). Both learn from the same generated batch, which saves a forward pass.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from generator.config import FREE, GeneratorConfig
from generator.growing import Stage, seen_at, stage_at
from generator.keypoints import Latents, draw_latents
from generator.layers import nearest_heat
from generator.model import Drawing, Generator
from generator.sample_sheet import draw_samples
from generator.training.adversary import Adversary
from generator.training.batch_norm import recalibrate
from generator.training.batches import RealBatches, cached_side
from generator.training.collapse import CollapseWatch, observed
from generator.training.features import FeatureNetwork
from generator.training.job import GeneratorJob
from generator.training.losses import background_loss, contrastive_loss
from generator.training.optimisers import parameter_groups, set_rates
from generator.training.stopping import DistanceTo, DistanceWatch
from kpdetect.data.sample import Squares
from kpdetect.data.training_images import warn_of_few
from kpdetect.errors import ConfigError, TrainingError
from kpdetect.heatmaps import gaussian_axes
from kpdetect.images.image_files import require_apart, write_image
from kpdetect.messages import log
from kpdetect.training.averaging import averaged_copy, update_average
from kpdetect.training.checkpoints import save_weights
from kpdetect.training.cuda_graphs import WARM_STEPS, StepRecorder
from kpdetect.training.data_key import DataKey
from kpdetect.training.distributed import agreed, average_gradients, main_first, synchronised
from kpdetect.training.initial_weights import InitialWeights, began_with, begin, load_fitting
from kpdetect.training.loop import Trainer, images_of
from kpdetect.training.optimiser_state import Stateful
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime, channels_last
from kpdetect.training.seeds import derived_generator, derived_seed


def run_generator_job(job: GeneratorJob) -> Path:
    """Train a generator on a folder of images, or continue the run in `job.out`.

    Returns:
        The weights file, model.safetensors.

    Raises:
        InputError, ConfigError, CheckpointError, OutputError: see their messages.
        TrainingError: a loss is not finite; the last good checkpoint is kept.
        KeyboardInterrupt: the user stopped the run; the current step has been finished and saved.
    """
    config, runtime = job.config, job.runtime
    if config.stopping.patience and job.distance_to is None:
        raise ConfigError("stopping.patience: needs a distance; from Python give distance_to, or set patience to 0")
    if (config.optimiser.features is None) != (job.feature_network is None):
        raise ConfigError("optimiser.features: expected features and feature_network together; from Python give both or none")
    require_apart(job.images.folder, job.out)
    with main_first(runtime):
        run = RunFolder(job.out, config, exempt=FREE, writes=runtime.is_main)
    known = images_of(run, "generator")
    with main_first(runtime):
        cache = job.images.cache(job.out, cached_side(config.model.size), config.data.crop, known)
    if known is None and runtime.is_main:
        warn_of_few(len(cache), "the generator may memorise so few")
    trainer = GeneratorTrainer(run, cache, config, runtime, job.distance_to, job.feature_network)
    trainer.share = job.share
    begin(trainer, job.initial)
    trainer.run_until(job.budget(config.steps))
    return run.weights


class GeneratorTrainer(Trainer):
    """The trainer of the generator: the network, its averaged copy and the discriminators."""

    kind, batch_key, rate_key = "generator", "optimiser.batch", "optimiser.rate_generator"

    def __init__(
        self,
        run: RunFolder,
        cache: Squares,
        config: GeneratorConfig,
        runtime: Runtime,
        distance_to: DistanceTo | None = None,
        feature_network: FeatureNetwork | None = None,
    ) -> None:
        optimiser, model = config.optimiser, config.model
        self.feature_weights = None if feature_network is None else feature_network.hash
        if feature_network is not None:
            self.other_data = "other images, or judged by other weights (optimiser.features)"
        super().__init__(run, config, optimiser.batch, DataKey(source=cache.key, judge=self.feature_weights), runtime)
        self.cache, self.config = cache, config
        torch.manual_seed(derived_seed(config.seed, "weights"))
        plain = Generator(model).to(runtime.device)
        self.adversary = Adversary(config, runtime, feature_network)
        channels_last(plain)
        self.average = averaged_copy(plain)  # not synchronised: only the first process measures its statistics
        self.generator = synchronised(plain, runtime)
        groups = parameter_groups(self.generator, config)
        self.adam_generator = torch.optim.Adam(groups, lr=optimiser.rate_generator, betas=optimiser.betas, fused=True)
        self.collapse = CollapseWatch(config.collapse, optimiser.batch)
        runtime.prepare(self.generator)
        self.batches = RealBatches.of(cache.images, config, runtime)
        self.watch: DistanceWatch | None = None
        if config.stopping.patience and distance_to is not None:
            self.watch = DistanceWatch(config.stopping, distance_to, self.batches, config.seed + 2)
        self.recorder = self._recorder(runtime)
        self.warm_steps = 3 if self.recorder is None else (WARM_STEPS + 1) * optimiser.r1_every
        self.restore()

    def _recorder(self, runtime: Runtime) -> StepRecorder | None:
        """Build the object that captures steps as a CUDA graph and replays them; None if steps cannot be replayed."""
        if not self.config.replayable or not runtime.replays:
            return None
        kinds = {self.adversary.penalised(step) for step in range(self.config.optimiser.r1_every)}
        work, adams = lambda real, *noises: self.update(real, Latents.of(noises)), self.adversary.optimisers
        return StepRecorder(work, [self.adam_generator, *adams], kinds, runtime.device)

    def stateful(self) -> dict[str, Stateful]:
        """The parts whose state a checkpoint holds."""
        parts: dict[str, Stateful] = {"generator": self.generator, "average": self.average}
        parts |= {"adam_generator": self.adam_generator}
        watches: dict[str, Stateful] = {"collapse": self.collapse} | ({} if self.watch is None else {"watch": self.watch})
        return parts | self.adversary.stateful() | watches

    @property
    def stage(self) -> Stage:
        """The current stage of progressive growing: image size and fade-in weight."""
        return stage_at(self.step * self.config.optimiser.batch, self.config.model, self.config.growth)

    def start_from(self, initial: InitialWeights) -> None:
        """Load the weights of a trained generator, and its discriminators if its run folder has them.

        The feature discriminator is loaded only if its feature network is the same.

        Raises:
            CheckpointError: the weights have another shape.
        """
        initial.load_into(self.generator, self.average)
        for name, network in self.adversary.companions(initial.description, self.feature_weights).items():
            if (state := initial.companion(name)) is not None:
                load_fitting(network, state, initial.checkpoint)
        if self.runtime.is_main:
            initial.record(self.run)

    def train_step(self) -> dict[str, Tensor]:
        """Update each network once, and return the metrics of the batch."""
        config, stage = self.config, self.stage
        real = seen_at(self.batches.take(self.step), stage)
        set_rates(self.adam_generator, config, stage)
        noise = derived_generator(config.seed, "latents", self.step)
        latents = draw_latents(config.optimiser.batch, config.model.noise_width, noise)
        latents = latents.part(self.runtime.rank, self.runtime.world).to(self.runtime.device)
        if self.recorder is None:
            metrics = self.update(real, latents)
        else:
            metrics = self.recorder(self.adversary.penalised(self.step), real, *latents.tensors)
        self.carried = {"r1": metrics["r1"]} if "r1" in metrics else self.carried  # logged between penalties too
        update_average(self.average, self.generator, config.optimiser.ema_decay, self.step)
        self.require_health(metrics)
        return metrics | self.carried

    def update(self, real: Tensor, latents: Latents) -> dict[str, Tensor]:
        """Do one training step: update each network once, on real images and on images generated from latents."""
        stage = self.stage
        with self.runtime.autocast():
            drawing = self.generator(latents, stage)
        return self.adversary.learn(real, drawing.image, self.step, stage) | self.update_generator(drawing, latents, stage)

    def periodic(self) -> list[tuple[int, Callable[[], object]]]:
        """List periodic tasks, each with its interval in steps. The distance comes before the checkpoint, which stores it."""
        measuring = [] if self.watch is None else [(self.config.stopping.every, self.measure)]
        return [*measuring, *super().periodic()]

    def close(self) -> None:
        """End the thread that prepares batches."""
        self.batches.close()

    def is_done(self) -> bool:
        """Return whether early stopping has run out of patience."""
        return self.watch is not None and self.watch.exhausted

    def measure(self) -> None:
        """Measure the distance of the averaged generator at its full size, and log it."""
        if self.watch is not None and self.stage == Stage(size=self.config.model.size):
            candidate = copy.deepcopy(self.average)
            recalibrate(candidate, self.config.seed + 1)
            distance = self.watch.look(self.step, candidate)
            if not math.isfinite(distance):
                raise TrainingError(f"{self.run.folder}: the distance of step {self.step} is not finite; {self.kept}")
            self.run.log(step=self.step, distance=round(distance, 5))

    def require_health(self, metrics: dict[str, Tensor]) -> None:
        """Stop a collapsed run.

        Raises:
            TrainingError: the run has collapsed. The message names the fault and a remedy; the last good checkpoint is kept.
        """
        wrong = self.collapse.look(self.step, {name: float(metrics[name]) for name in self.collapse.least})
        if agreed(bool(wrong), self.runtime):
            raise TrainingError(f"{self.run.folder}: collapsed at step {self.step}, {self.kept}: {wrong or 'see process 0'}")

    def save(self) -> None:
        """Write the checkpoint, unless the run shows a sign of collapse."""
        if not self.collapse.suspicious:
            super().save()

    def update_generator(self, drawing: Drawing, latents: Latents, stage: Stage) -> dict[str, Tensor]:
        """Update the generator by its adversarial losses and by those losses on parts that are active."""
        losses = self.adversary.loss(drawing.image, self.step, stage) | self.losses_on_parts(drawing, latents, stage)
        self.adam_generator.zero_grad()
        sum(weight * value for weight, value in losses.values()).backward()  # type: ignore[union-attr]
        average_gradients(self.generator.parameters(), self.runtime)
        self.adam_generator.step()
        return {**observed(drawing), **{name: value.detach() for name, (_, value) in losses.items()}}

    def losses_on_parts(self, drawing: Drawing, latents: Latents, stage: Stage) -> dict[str, tuple[float, Tensor]]:
        """Return weight and value of the background loss (paper Eq. 6) and the contrastive loss (Eq. 11), if active."""
        optimiser, losses = self.config.optimiser, {}
        if optimiser.background_weight:
            source = derived_generator(self.config.seed, "other background", self.step)
            other = draw_latents(optimiser.batch, self.config.model.noise_width, source)
            other = other.part(self.runtime.rank, self.runtime.world).to(self.runtime.device)
            with self.runtime.autocast():
                changed = self.generator(replace(latents, background=other.background, centre=other.centre), stage)
            heat = nearest_heat(*gaussian_axes(drawing.keypoints, (stage.size, stage.size), self.config.model.tau))
            value = background_loss(drawing.image, changed.image, heat[:, None]).mean()
            losses["loss_background"] = (optimiser.background_weight, value)
        if optimiser.contrastive_weight:
            value = contrastive_loss(drawing.embeddings, optimiser.contrastive_temperature).mean()
            losses["loss_contrastive"] = (optimiser.contrastive_weight, value)
        return losses

    def write_sheet(self) -> None:
        """Write a sample sheet, drawn with the averaged weights from latents that are the same for every sheet."""
        sheet = draw_samples(self.average, self.config.seed, self.stage, self.runtime)
        write_image(self.run.sample(self.step), sheet)

    def write_weights(self) -> None:
        """Write the best weights of early stopping, or else the averaged weights with new batch-norm statistics."""
        config, watch = self.config, self.watch if self.watch is not None and self.watch.weights else None
        self.average.stage = stage = replace(self.stage, alpha=1.0)
        recalibrate(self.average, config.seed + 1)
        tensors, kept = (watch.weights, watch.best_step) if watch else (self.average.state_dict(), self.step)
        description = self.description(
            config,
            kept_step=kept,
            drawn_size=stage.size,
            distance=watch.best if watch else None,
            training_images=len(self.cache),
            began_with=began_with(self.run),
            feature_weights=self.feature_weights,
            data=self.cache.key,
        )
        save_weights(self.run.weights, "generator", tensors, description)
        if watch and watch.exhausted:
            log.info(watch.ending())
