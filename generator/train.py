"""Training of the generator: run -> step -> update_discriminator / update_generator.

One fake batch serves both updates: the discriminator learns from it detached, then the generator through the updated
discriminator, which saves a forward pass. Everything random in step t follows from (seed, t), so a checkpoint needs no
random state and a continued run is bit-equal to an uninterrupted one on the same machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from generator.batches import RealBatches, cached_side
from generator.config import BUDGETS, GeneratorConfig
from generator.discriminator import Discriminator
from generator.ema import averaged_copy, recalibrate, update_average
from generator.latents import draw_latents, latents_of
from generator.losses import discriminator_loss, generator_loss, gradient_penalty
from generator.model import Drawing, Generator
from generator.sheet import sample_sheet
from kpdetect.checkpoints import load_checkpoint, save_checkpoint, save_weights
from kpdetect.data.folder import ImageCache, build_cache
from kpdetect.errors import ConfigError, TrainingError
from kpdetect.images import write_image
from kpdetect.interrupts import StopRequest
from kpdetect.progress import Progress
from kpdetect.runlog import RunFolder, code_commit, hardware
from kpdetect.runtime import Runtime
from kpdetect.seeds import derived_generator, derived_seed

SHEET_COLUMNS = 12


def train_generator(
    images: Path,
    out: Path,
    config: GeneratorConfig,
    runtime: Runtime,
    *,
    minutes: float | None = None,
    exclude: frozenset[str] = frozenset(),
    strict: bool = False,
) -> Path:
    """Train a generator on a folder of images, or continue the run in `out`.

    Args:
        images: folder of images, any sizes.
        out: run folder.
        config: what to train; must equal that of the run being continued, budgets aside.
        runtime: device and precision.
        minutes: training time over all continuations; the run ends at this or at `config.steps`, whichever is first.
        exclude: image names never to train on.
        strict: stop at an unreadable image.

    Returns:
        The weights file, model.safetensors.

    Raises:
        InputError, ConfigError, CheckpointError, OutputError: see their messages.
        TrainingError: a loss is not finite; the last good checkpoint is kept.
        KeyboardInterrupt: after the step at hand was finished and saved.
    """
    run = RunFolder(out, config, exempt=BUDGETS)
    cache = build_cache(images, out, cached_side(config.model.size), config.data.crop, set(exclude), strict=strict)
    trainer = GeneratorTrainer(run, cache, config, runtime)
    trainer.run_until(config.steps, minutes)
    return run.weights


def channels_last(module: nn.Module) -> nn.Module:
    """Lay convolution weights out for channels-last images, which CPU and tensor cores are fast with."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


class GeneratorTrainer:
    """Two networks, two optimisers, an average, and the counters that a checkpoint restores."""

    def __init__(self, run: RunFolder, cache: ImageCache, config: GeneratorConfig, runtime: Runtime) -> None:
        self.run, self.cache, self.config, self.runtime = run, cache, config, runtime
        torch.manual_seed(derived_seed(config.seed, "weights"))
        optimiser, model = config.optimiser, config.model
        self.generator = Generator(model).to(runtime.device)
        self.discriminator = Discriminator(model.size, optimiser.discriminator_widths).to(runtime.device)
        channels_last(self.generator), channels_last(self.discriminator)
        self.average = averaged_copy(self.generator)
        self.adam_generator = self._adam(self.generator, optimiser.rate_generator)
        self.adam_discriminator = self._adam(self.discriminator, optimiser.rate_discriminator)
        self.batches = RealBatches(cache.images, model.size, optimiser.batch, config.data, config.seed)
        self.step, self.seconds = 0, 0.0
        if run.checkpoint.exists():
            self._restore(load_checkpoint(run.checkpoint, "generator"))
        if config.compile:
            self.generator.foreground.compile()
            self.generator.background.compile()

    def _adam(self, network: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(network.parameters(), lr=rate, betas=self.config.optimiser.betas, fused=True)

    def run_until(self, steps: int, minutes: float | None) -> None:
        """Train to a number of steps or minutes in all; save on the way, at the end and when asked to stop."""
        budget = None if minutes is None else minutes * 60
        left = None if budget is None else max(0.0, budget - self.seconds)
        batch, config = self.config.optimiser.batch, self.config
        periodic: list[tuple[int, Callable[[], object]]] = [(config.sample_every, self.write_sheet), (config.checkpoint_every, self.save)]
        with StopRequest() as stop, Progress(steps * batch, "train generator", start=self.step * batch, seconds=left) as bar:
            while self.step < steps and (budget is None or self.seconds < budget) and not stop.requested:
                began = time.monotonic()
                values = self.train_step()
                self.seconds += time.monotonic() - began
                bar.update(batch, D=float(values["loss_discriminator"]), G=float(values["loss_generator"]))
                if self.step % config.log_every == 0:
                    self._log(values, bar.rate)
                for every, action in periodic:
                    if self.step % every == 0:
                        action()
        self.finish()
        if stop.requested:
            raise KeyboardInterrupt

    def train_step(self) -> dict[str, Tensor]:
        """One update of each network; returns the metrics of the batch."""
        config = self.config
        real = self.batches.at(self.step).to(self.runtime.device)
        noise = derived_generator(config.seed, "latents", self.step)
        latents = draw_latents(config.optimiser.batch, config.model.noise_width, noise).to(self.runtime.device)
        with self.runtime.autocast():
            drawing = self.generator(latents)
        metrics = self.update_discriminator(real, drawing.image.detach())
        metrics |= self.update_generator(drawing)
        update_average(self.average, self.generator, config.optimiser.ema_decay, self.step)
        self.step += 1
        return metrics

    def update_discriminator(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Logistic loss, and every few steps the gradient penalty on real images."""
        optimiser = self.config.optimiser
        with self.runtime.autocast():
            real_logits, fake_logits = self.discriminator(torch.cat([real, fake.float()])).chunk(2)
        loss = discriminator_loss(real_logits, fake_logits).mean()
        total = loss
        metrics = {"loss_discriminator": loss.detach(), "logit_real": real_logits.detach().mean(), "logit_fake": fake_logits.detach().mean()}
        if optimiser.r1_weight and self.step % optimiser.r1_every == 0:
            penalty = gradient_penalty(self.discriminator, real).mean()
            total = total + optimiser.r1_weight * optimiser.r1_every * penalty
            metrics["r1"] = penalty.detach()
        self.adam_discriminator.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.adam_discriminator.step()
        return metrics

    def update_generator(self, drawing: Drawing) -> dict[str, Tensor]:
        """Non-saturating loss through the discriminator as it is now."""
        self.discriminator.requires_grad_(False)
        with self.runtime.autocast():
            logits = self.discriminator(drawing.image.float())
        loss = generator_loss(logits).mean()
        self.adam_generator.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.discriminator.requires_grad_(True)
        self.adam_generator.step()
        keypoints = drawing.keypoints.detach()
        return {
            "loss_generator": loss.detach(),
            "keypoint_spread": keypoints.std(dim=1).mean(),  # of the keypoints within an image
            "keypoint_motion": keypoints.std(dim=0).mean(),  # of a keypoint between images
            "mask_area": drawing.mask.detach().float().mean(),
        }

    def _log(self, metrics: dict[str, Tensor], rate: float) -> None:
        values = {name: round(float(value), 5) for name, value in metrics.items()}
        if not all(abs(value) < float("inf") for value in values.values()):
            raise TrainingError(
                f"{self.run.folder}: a loss is not finite at step {self.step}; the last good checkpoint is kept. "
                "Try a lower optimiser.rate_generator and rate_discriminator, or another seed"
            )
        images = self.step * self.config.optimiser.batch
        self.run.log(step=self.step, images=images, seconds=round(self.seconds, 1), rate=round(rate, 1), **values)

    @torch.no_grad()
    def write_sheet(self) -> None:
        """Draw the same latents with the averaged weights."""
        latents = latents_of(self.config.seed, 0, SHEET_COLUMNS, self.config.model.noise_width).to(self.runtime.device)
        with self.runtime.autocast():
            write_image(self.run.sample(self.step), sample_sheet(self.average(latents)))

    def save(self) -> None:
        """Write the checkpoint."""
        state = {name: getattr(self, name).state_dict() for name in STATEFUL}
        state |= {"step": self.step, "seconds": self.seconds, "data": self.cache.key}
        save_checkpoint(self.run.checkpoint, "generator", state)

    def _restore(self, state: dict[str, Any]) -> None:
        if state["data"] != self.cache.key:
            raise ConfigError(
                f"{self.run.folder}: was trained on other images (a file was added, removed or changed, or other names are excluded); "
                "use another --out, or the same images to continue"
            )
        for name in STATEFUL:
            getattr(self, name).load_state_dict(state[name])
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self.run.rewind(self.step)

    def finish(self) -> None:
        """Write checkpoint and weights; the average's batch statistics are measured afresh."""
        self.save()
        config = self.config
        recalibrate(self.average, lambda index: latents_of(config.seed + 1, 64 * index, 64 * index + 64, config.model.noise_width))
        self.write_sheet()
        description = {
            "config": config.model_dump(mode="json"),
            "step": self.step,
            "images_seen": self.step * config.optimiser.batch,
            "minutes": round(self.seconds / 60, 1),
            "training_images": len(self.cache),
            "data": self.cache.key,
            "commit": code_commit(),
            "hardware": hardware(),
        }
        save_weights(self.run.weights, "generator", self.average.state_dict(), description)


STATEFUL = ("generator", "discriminator", "average", "adam_generator", "adam_discriminator")
"""What a checkpoint holds besides the counters."""
