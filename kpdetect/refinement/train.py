"""Train a detector on real, unlabelled images: train_step -> reconstruct / agree / anchor -> one update.

The student is the detector in training; the teacher is its copy with averaged weights. The student predicts keypoints in a view
with changed colours. Three losses train it. Reconstruct: a decoder must draw this view from the keypoints and the appearance of
another view (IMM). Agree: the keypoints must equal those of the teacher, which are averaged over both views. Anchor: the
student must find the keypoints of generated pairs.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kpdetect.config import build_config
from kpdetect.coords import to_pixels
from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.data.sample import Squares
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.data.training_images import warn_of_few
from kpdetect.detector.batches import TrainingPairs
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.held_out import find_keypoints, keypoint_layout, keypoints_on_device
from kpdetect.detector.learned import open_pairs
from kpdetect.detector.losses import coordinate_distance
from kpdetect.detector.model import build_detector
from kpdetect.detector.network import read_heatmaps
from kpdetect.draw import contact_sheet, draw_keypoints
from kpdetect.errors import InputError
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import merge_sources
from kpdetect.images.image_files import require_apart, write_image
from kpdetect.pairs import PairSource
from kpdetect.refinement.anchor import Anchor, FirstStage
from kpdetect.refinement.collapse import Health, closeness, measure_health, require_health
from kpdetect.refinement.config import RefineConfig
from kpdetect.refinement.device_views import DeviceViews
from kpdetect.refinement.job import RefineJob
from kpdetect.refinement.reconstruction import Reconstruction, hide_patches, perception_of, reconstruction_losses, shrink
from kpdetect.refinement.views import VIEW_TENSORS, ViewBatches, Views, as_images
from kpdetect.training.averaging import averaged_copy, update_average
from kpdetect.training.checkpoints import save_weights
from kpdetect.training.cuda_graphs import WARM_STEPS, StepRecorder
from kpdetect.training.data_key import DataKey
from kpdetect.training.distributed import average_gradients, main_first, synchronised
from kpdetect.training.loop import BUDGETS, Trainer, images_of
from kpdetect.training.optimiser_state import Stateful
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime, channels_last
from kpdetect.training.seeds import derived_generator, derived_seed

WATCHED = 256
"""Number of real images on which the health of the keypoints is measured and sample sheets are drawn."""
SHEET_IMAGES = 12


def run_refine_job(job: RefineJob) -> Path:
    """Train a detector on real images, or continue the run in `job.out`.

    Returns:
        The weights file of the detector, model.safetensors.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError, OutputError: see `kpdetect.errors`.
        TrainingError: a loss is not finite, or the keypoints collapse. The last good checkpoint is kept.
        KeyboardInterrupt: Ctrl-C; the current step is finished and saved first.
    """
    start, config, pairs = opened(job)
    with main_first(job.runtime):
        run = RunFolder(job.out, config, exempt=BUDGETS, writes=job.runtime.is_main)
    known = images_of(run, "detector")
    with main_first(job.runtime):
        cache = job.images.cache(job.out, config.side, config.crop, known)
    if known is None and start is None and job.runtime.is_main:
        warn_of_few(len(cache), "the detector may memorise so few")
    trainer = RefineTrainer(run, cache, config, job.runtime, start, pairs)
    if start is not None and job.runtime.is_main:
        merge_sources(job.out, start.weights.parent, *([] if pairs is None else [pairs.folder]))
    trainer.run_until(job.budget(config.steps))
    return run.weights


def opened(job: RefineJob) -> tuple[FirstStage | None, RefineConfig, ShardFolder | None]:
    """Load the trained detector of a job, complete the settings by those of that detector, and open the pairs.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError: the job cannot be run.
    """
    if (job.model is None) != (job.config.method == "imm"):
        raise InputError("`model`: the method refine needs a trained detector, the method imm needs none")
    require_apart(job.images.folder, job.out)
    start = None if job.model is None else FirstStage.load(job.model)
    config = job.config if start is None else start.apply(job.config)
    return start, config, None if job.pairs is None or not config.anchor_weight else open_pairs(job.pairs, config.keypoints)


class RefineTrainer(Trainer):
    """The training of a detector and an image decoder. The detector with averaged weights is the teacher and the result."""

    kind = "detector"
    other_data = "other images, from another first stage, with other pairs or other weights (reconstruction.features)"

    def __init__(
        self,
        run: RunFolder,
        cache: Squares,
        config: RefineConfig,
        runtime: Runtime,
        start: FirstStage | None,
        pairs: ShardFolder | PairSource | None,
    ) -> None:
        self.perception = perception_of(config.reconstruction, runtime)
        data = DataKey(
            source=cache.key,
            first_stage="" if start is None else file_hash(start.weights),
            anchors=tuple(shard.sha256 for shard in pairs.manifest.shards) if isinstance(pairs, ShardFolder) else (),
            judge=None if self.perception is None else self.perception.hash,
        )
        super().__init__(run, config, config.batch, data, runtime)
        self.cache, self.config, self.start = cache, config, start
        torch.manual_seed(derived_seed(config.seed, "weights"))
        self.detector = build_detector(config.model, config.keypoints, initialise=start is None)
        if start is not None:
            self.detector.load_state_dict(start.tensors)
        self.detector = synchronised(self.detector, runtime).to(runtime.device)
        rebuild = config.reconstruction
        decoder = Reconstruction(config.keypoints, rebuild.size, rebuild.width, rebuild.sigma)
        self.decoder = synchronised(decoder, runtime).to(runtime.device)
        channels_last(self.detector)
        channels_last(self.decoder)
        self.average = averaged_copy(self.detector)
        groups = [(self.detector, config.rate), (self.decoder, config.rate_decoder)]
        self.adam = torch.optim.AdamW(
            [{"params": list(part.parameters()), "lr": rate, "full": rate} for part, rate in groups],
            weight_decay=config.weight_decay,
            fused=True,
        )
        views = ViewBatches(cache.images, config, runtime.rank, runtime.world)
        self.views = DeviceViews(views, runtime.device) if runtime.augments(config.augment_on) else views
        self.anchor = None if pairs is None else Anchor(pairs, config, None if start is None else start.config, runtime)
        self.upcoming: Generator[Views, None, None] | None = None
        self.watched = as_images(np.array(cache.images[evenly_spaced(len(cache), WATCHED)]))
        self.before = None if start is None else self.find(self.average, self.watched)
        self.healthy = None if self.before is None else measure_health(self.before, self.before)
        runtime.prepare(self.detector, self.decoder)
        self.recorder = None
        if config.replay and runtime.replays:
            self.recorder = StepRecorder(self.update, [self.adam], ["step"], runtime.device)
            self.warm_steps = config.warmup + WARM_STEPS + 1
        self.restore()

    def stateful(self) -> dict[str, Stateful]:
        """Return the parts whose state a checkpoint holds."""
        return {"detector": self.detector, "decoder": self.decoder, "average": self.average, "adam": self.adam}

    def train_step(self) -> dict[str, Tensor]:
        """Do one update. Return the losses of the batch."""
        views = self._next_views()
        pairs = () if self.anchor is None else self.anchor.next(self.step).tensors
        self._warm_up()
        recorder = self.recorder if self.step >= self.config.warmup else None  # a recorded step keeps its learning rates
        inputs = (self._look(views), *views.tensors, *pairs)
        losses = self.update(*inputs) if recorder is None else recorder("step", *inputs)
        update_average(self.average, self.detector, self.config.average_decay, self.step)
        return losses

    def update(self, look: Tensor, *tensors: Tensor) -> dict[str, Tensor]:
        """Update the networks on a given batch. All work is done on the device of the networks.

        Args:
            look: the first views as the decoder sees them, see `_look`.
            tensors: the tensors of the views, then the tensors of the pairs if there are pairs.
        """
        config, views = self.config, Views.of(tensors[:VIEW_TENSORS])
        with self.runtime.autocast():
            logits = self.detector(views.student)
        keypoints, _ = read_heatmaps(logits)
        losses: dict[str, Tensor] = {}
        total = torch.zeros((), device=self.runtime.device)
        if config.reconstruction.weight:
            wanted = shrink(views.second, config.reconstruction.size)
            losses |= reconstruction_losses(self.decoder, self.perception, (look, wanted), keypoints, self.runtime)
            total = total + config.reconstruction.weight * sum(losses.values())
        if config.agreement_weight:
            losses["loss_agreement"] = self.disagreement(views, keypoints)
            total = total + config.agreement_weight * losses["loss_agreement"]
        if config.separation_weight:
            losses["loss_separation"] = closeness(keypoints, config.separation_sigma).mean()
            total = total + config.separation_weight * losses["loss_separation"]
        if self.anchor is not None:
            losses["loss_anchor"] = self.anchor.loss(self.detector, TrainingPairs.of(tensors[VIEW_TENSORS:]))
            total = total + config.anchor_weight * losses["loss_anchor"]
        self.adam.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        average_gradients([*self.detector.parameters(), *self.decoder.parameters()], self.runtime)
        self.adam.step()
        return {name: value.detach() for name, value in losses.items()}

    def _look(self, views: Views) -> Tensor:
        """Make the first views small and hide patches, as the decoder sees them."""
        rebuild = self.config.reconstruction
        if not rebuild.weight:
            return views.first
        hidden = derived_generator(self.config.seed, "hidden", self.step * self.runtime.world + self.runtime.rank)
        return hide_patches(shrink(views.first, rebuild.size), rebuild.hidden, rebuild.patch, hidden)

    def disagreement(self, views: Views, keypoints: Tensor) -> Tensor:
        """Compute the mean distance of the student's keypoints from the teacher's mean over both views, in the image."""
        with torch.no_grad():
            both = (views.first, views.second)
            first, second = (keypoints_on_device(self.average, view, self.runtime)[0] for view in both)
            agreed = (views.warp_first(first) + views.warp_second(second)) / 2
        return coordinate_distance(views.warp_second(keypoints), agreed).mean()

    def find(self, detector: nn.Module, images: Tensor) -> Tensor:
        """Predict keypoints [count, K, 2] of images [count, 3, height, width]."""
        return find_keypoints(detector, images, self.runtime)[0].to(self.runtime.device)

    def _warm_up(self) -> None:
        factor = min(1.0, (self.step + 1) / max(1, self.config.warmup))
        for group in self.adam.param_groups:
            group["lr"] = group["full"] * factor

    def _next_views(self) -> Views:
        if self.upcoming is None:
            self.upcoming = self.views.ahead(self.step, self.runtime.workers)
        return next(self.upcoming).to(self.runtime.device)

    def close(self) -> None:
        """End the threads that prepare batches."""
        if self.upcoming is not None:
            self.upcoming.close()
        self.upcoming = None
        if self.anchor is not None:
            self.anchor.close()

    def save(self) -> None:
        """Write the checkpoint, unless the keypoints have collapsed.

        Raises:
            TrainingError: the keypoints have collapsed. The previous checkpoint is kept.
        """
        require_health(self.health(), self.healthy, self.config, str(self.run.folder))
        super().save()

    def health(self) -> Health:
        """Measure the keypoints that the averaged detector predicts on the watched images, see `measure_health`."""
        return measure_health(self.find(self.average, self.watched), self.before)

    def write_sheet(self) -> None:
        """Draw some real images: above with the keypoints at the start, below with the current ones. Log `health`."""
        health = self.health()
        self.run.log(step=self.step, spread=health.spread, motion=health.motion, drift=health.drift)
        now = self.find(self.average, self.watched[:SHEET_IMAGES]).cpu()
        rows = [now] if self.before is None else [self.before[:SHEET_IMAGES].cpu(), now]
        pixels = ((self.watched[:SHEET_IMAGES] + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        columns = [
            np.concatenate([draw_keypoints(image, to_pixels(row[index].numpy(), image.shape[:2])) for row in rows])
            for index, image in enumerate(pixels)
        ]
        write_image(self.run.sample(self.step), contact_sheet(columns, columns=SHEET_IMAGES))

    def write_weights(self) -> None:
        """Write the averaged detector with its description."""
        config, keypoints = self.config, self.find(self.average, self.watched)
        health = measure_health(keypoints, self.before)
        first = None if self.start is None else self.start.description
        calibration = None if first is None else first.content.get("calibration")
        if self.anchor is not None:
            calibration = self.anchor.calibration(self.average, self.run.folder)
        settings = build_config(DetectorConfig, {"model": config.model.model_dump(mode="json")})
        description = self.description(
            settings,
            keypoints=config.keypoints,
            pair_size=[config.side, config.side],
            crop=config.crop,
            provenance={} if first is None else first.provenance or {},
            first_stage=None if self.start is None else file_hash(self.start.weights),
            refined=config.model_dump(mode="json"),
            refined_before=[] if self.start is None else self.start.refined_before,
            drift=round(health.drift, 4),
            spread=round(health.spread, 4),
            keypoint_layout=keypoint_layout(keypoints),
            training_images=len(self.cache),
            held_out=None if self.anchor is None else self.anchor.held_out,
            calibration=calibration,
        )
        save_weights(self.run.weights, "detector", self.average.state_dict(), description)
