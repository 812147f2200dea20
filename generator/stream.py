"""An endless stream of image-keypoint pairs. Pair i depends only on the weights, the seed, the truncation and i.

Keypoints are computed in float64 and rounded to 2^-20, so they are equal on every machine and in every batch. Images are drawn
in float32 in batches of one fixed size, because the last bits of a convolution depend on its batch size.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from generator.config import GeneratorConfig
from generator.growing import Stage
from generator.keypoints import Parts, latents_of
from generator.model import Drawing, Generator
from generator.sample_sheet import to_levels, to_uint8
from kpdetect.config import build_config
from kpdetect.errors import InputError
from kpdetect.files.hashes import file_hash
from kpdetect.pairs import PairBatch
from kpdetect.training.checkpoints import fill, find_weights, require_widths
from kpdetect.training.described_weights import load_described
from kpdetect.training.model_description import GeneratorDescription
from kpdetect.training.runtime import DeviceName, Runtime, as_runtime, channels_last

BATCH = 64
"""Number of images per batch."""
GRID = 2.0**-20
"""Keypoints are rounded to multiples of this step."""


def load_generator(path: Path) -> tuple[Generator, GeneratorDescription]:
    """Load a trained generator and its description from a weights file, a run folder or a project folder.

    The generator is in evaluation mode.

    Raises:
        CheckpointError: there is no weights file, or its content is not a generator of this version.
    """
    weights = find_weights(path, "generator")
    tensors, description = load_described(weights, GeneratorDescription)
    config = build_config(GeneratorConfig, description.config, source=str(weights))
    require_widths(config.model.all_widths, tensors, weights)
    network = Generator(config.model)
    fill(network, tensors, weights)
    network.stage = Stage(size=description.drawn_size or config.model.size)
    channels_last(network)
    return network.eval().requires_grad_(False), description


class PairStream:
    """Image-keypoint pairs of a trained generator, as a `PairSource`.

    Args:
        model: weights file, run folder or project folder of a generator, or the name of a model that comes with the package.
        device: name of the device that draws, or a `Runtime`, whose precision is ignored: images are drawn in float32.
        seed: seed of the noises.
        truncation: factor in (0, 1] on pose and appearance noise; a lower factor gives more typical, less varied images.
        masks: whether pairs come with foreground masks.
    """

    def __init__(
        self,
        model: Path | str,
        device: DeviceName | Runtime = "auto",
        *,
        seed: int = 0,
        truncation: float = 1.0,
        masks: bool = False,
    ) -> None:
        model, runtime = Path(model), as_runtime(device, "float32")
        if not 0 < truncation <= 1:
            raise InputError(f"`truncation={truncation}`: expected a number above 0, at most 1")
        self.network, self.description = load_generator(model)
        self.network.to(runtime.device)
        self.exact = copy.deepcopy(self.network.parts).double().cpu()
        self.runtime, self.seed, self.truncation, self.masks = runtime, seed, truncation, masks
        self.hash = file_hash(find_weights(model, "generator"))

    @property
    def keypoints(self) -> int:
        """Number of keypoints per pair."""
        return self.network.config.keypoints

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images."""
        return self.network.stage.size, self.network.stage.size

    @property
    def provenance(self) -> dict[str, Any]:
        """A JSON-ready record of the generator, seed and truncation that determine the pairs."""
        known = self.description
        training = {
            "images_seen": known.images_seen,
            "training_images": known.training_images,
            "minutes": known.minutes,
            "commit": known.commit,
        }
        config = build_config(GeneratorConfig, known.config)
        fixed = {"generator": self.hash, "seed": self.seed, "truncation": self.truncation, "crop": config.data.crop}
        turned = {} if config.model.orientation == "upright" else {"orientation": config.model.orientation}
        return fixed | turned | {"training": training}

    def batches(self, start: int, stop: int) -> Iterator[PairBatch]:
        """Yield the pairs start <= i < stop in order, in batches of at most `BATCH` pairs.

        Raises:
            InputError: start is below 0.
        """
        if start < 0:
            raise InputError(f"pairs {start} to {stop}: pairs are numbered from 0; give a start of 0 or more")
        return (self._batch(first, min(first + BATCH, stop)) for first in range(start, stop, BATCH))

    def _batch(self, start: int, stop: int) -> PairBatch:
        drawing = self.draw(start)
        count = stop - start
        keypoints = drawing.keypoints[:count]
        return PairBatch(
            images=to_uint8(drawing.image[:count]),
            keypoints=keypoints.cpu().numpy(),
            visible=visible_keypoints(keypoints, drawing.mask[:count]).cpu().numpy(),
            masks=(drawing.mask[:count, 0] * 255).round().to(torch.uint8).cpu().numpy() if self.masks else None,
        )

    def tensors(self, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw at most `BATCH` pairs start <= i < stop as tensors on the device; see `kpdetect.pairs.TensorSource`."""
        drawing, count = self.draw(start), stop - start
        keypoints = drawing.keypoints[:count]
        return to_levels(drawing.image[:count]), keypoints, visible_keypoints(keypoints, drawing.mask[:count])

    @torch.no_grad()
    def draw(self, start: int) -> Drawing:
        """Draw the `BATCH` images from index `start` on."""
        return self.network.draw(self.parts(start, start + BATCH))

    @torch.no_grad()
    def parts(self, start: int, stop: int) -> Parts:
        """Return the parts (keypoints and embeddings) of the images start <= i < stop."""
        latents = latents_of(self.seed, start, stop, self.network.config.noise_width).scaled(self.truncation)
        positions = self.exact.positions(latents.pose.double())
        keypoints = (positions / GRID).round().mul(GRID).float()
        parts: Parts = self.network.parts(latents.to(self.runtime.device))
        return replace(parts, keypoints=keypoints.to(self.runtime.device))


def visible_keypoints(keypoints: Tensor, mask: Tensor) -> Tensor:
    """Return whether keypoints [batch, K, 2] lie inside the frame and on the foreground of mask [batch, 1, height, width]."""
    inside = (keypoints.abs() <= 1).all(dim=-1)
    sampled = functional.grid_sample(mask.float(), keypoints[:, :, None], align_corners=False, padding_mode="border")
    return inside & (sampled[:, 0, :, 0] > 0.5)
