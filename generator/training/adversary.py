"""The discriminators and their optimisers.

learn -> one update of every discriminator on real and generated images
loss  -> the adversarial loss of the generator
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from generator.config import GeneratorConfig
from generator.growing import Stage
from generator.training.augmentation import augment
from generator.training.discriminator import build_discriminator
from generator.training.features import FeatureDiscriminator, FeatureNetwork, require_maps
from generator.training.losses import ADVERSARIAL, gradient_penalty
from kpdetect.training.distributed import average_gradients
from kpdetect.training.model_description import ModelDescription
from kpdetect.training.optimiser_state import Stateful
from kpdetect.training.runtime import Runtime, channels_last
from kpdetect.training.seeds import derived_generator


class Adversary:
    """The discriminators: one that sees pixels and, with a feature network, one that sees the network's feature maps.

    Args:
        config: the run's configuration.
        runtime: device and precision.
        network: the feature network, on the runtime's device; None for the discriminator of pixels alone.

    Attributes:
        pixel_discriminator: the discriminator of pixels; `adam_pixels` is its optimiser.
        feature_discriminator: the discriminator of feature maps, or None; `adam_features` is its optimiser.
    """

    def __init__(self, config: GeneratorConfig, runtime: Runtime, network: FeatureNetwork | None = None) -> None:
        self.config, self.runtime, optimiser = config, runtime, config.optimiser
        self.pixel_discriminator = build_discriminator(config.model, optimiser).to(runtime.device)
        channels_last(self.pixel_discriminator)
        self.adam_pixels = self._adam(self.pixel_discriminator, optimiser.betas)
        self.feature_discriminator: FeatureDiscriminator | None = None
        if network is not None:
            require_maps(network, config.model.image_sizes[0], runtime.device)
            features = FeatureDiscriminator(lambda images: network(images)[1:], network.channels[1:], optimiser.feature_width)
            self.feature_discriminator = features.to(runtime.device)
            channels_last(self.feature_discriminator)
            self.adam_features = self._adam(self.feature_discriminator, optimiser.feature_betas)
        self.loss_generator, self.loss_discriminator = ADVERSARIAL[optimiser.loss]
        runtime.prepare(*self.networks)

    @property
    def optimisers(self) -> list[torch.optim.Optimizer]:
        """The optimisers of the discriminators."""
        return [self.adam_pixels] if self.feature_discriminator is None else [self.adam_pixels, self.adam_features]

    @property
    def networks(self) -> list[nn.Module]:
        """The discriminators."""
        both = (self.pixel_discriminator, self.feature_discriminator)
        return [network for network in both if network is not None]

    def stateful(self) -> dict[str, Stateful]:
        """The discriminators and their optimisers. The keys are their names in a checkpoint."""
        pixels: dict[str, Stateful] = {"discriminator": self.pixel_discriminator, "adam_discriminator": self.adam_pixels}
        if self.feature_discriminator is None:
            return pixels
        return pixels | {"feature_discriminator": self.feature_discriminator, "adam_features": self.adam_features}

    def companions(self, description: ModelDescription, feature_weights: str | None) -> dict[str, nn.Module]:
        """Return the discriminators that may load weights of an earlier run, by name.

        The feature discriminator is included only if both runs use the same feature network and width.

        Args:
            description: the description of the earlier generator's weights.
            feature_weights: hash of the weights of this run's feature network; None without one.
        """
        networks: dict[str, nn.Module] = {"discriminator": self.pixel_discriminator}
        width = (description.config or {}).get("optimiser", {}).get("feature_width")
        alike = description.feature_weights == feature_weights and width == self.config.optimiser.feature_width
        if self.feature_discriminator is not None and alike:
            networks["feature_discriminator"] = self.feature_discriminator
        return networks

    def penalised(self, step: int) -> bool:
        """Return whether a step has a gradient penalty."""
        return bool(self.config.optimiser.r1_weight) and step % self.config.optimiser.r1_every == 0

    def learn(self, real: Tensor, drawn: Tensor, step: int, stage: Stage) -> dict[str, Tensor]:
        """Update each discriminator once, and return the metrics of all of them.

        Args:
            real, drawn: real and generated images [batch, channels, size, size].
            step: number of the step; in steps with a gradient penalty, the metrics include it as `r1`.
            stage: the stage of progressive growing.
        """
        real, drawn = self.changed(real, "real", step), self.changed(drawn.detach().float(), "fake", step)
        both = torch.cat([real, drawn])
        with self.runtime.autocast():
            real_logits, fake_logits = self.pixel_discriminator(both, stage).chunk(2)
        loss = self.loss_discriminator(real_logits, fake_logits).mean()
        penalty = {"r1": self._penalty(real, stage)} if self.penalised(step) else {}
        weight = self.config.optimiser.r1_weight * self.config.optimiser.r1_every
        self._update(self.pixel_discriminator, self.adam_pixels, sum((weight * each for each in penalty.values()), loss))
        metrics = {"loss_discriminator": loss, "logit_real": real_logits.mean(), "logit_fake": fake_logits.mean()}
        if self.feature_discriminator is not None:
            with self.runtime.autocast():
                real_logits, fake_logits = self.feature_discriminator(both).chunk(2)
            loss = self.loss_discriminator(real_logits, fake_logits).mean()
            self._update(self.feature_discriminator, self.adam_features, loss)
            metrics["loss_feature_discriminator"] = loss
        return {name: value.detach() for name, value in (metrics | penalty).items()}

    def loss(self, drawn: Tensor, step: int, stage: Stage) -> dict[str, tuple[float, Tensor]]:
        """Return the generator's loss for each discriminator, as a pair of weight and value.

        The discriminators get no gradient from it.
        """
        drawn = self.changed(drawn.float(), "drawn", step)
        with self._frozen(), self.runtime.autocast():
            losses = {"loss_generator": (1.0, self.loss_generator(self.pixel_discriminator(drawn, stage)).mean())}
            if self.feature_discriminator is not None:
                weight, logits = self.config.optimiser.feature_weight, self.feature_discriminator(drawn)
                losses["loss_feature_generator"] = (weight, self.loss_generator(logits).mean())
        return losses

    def changed(self, images: Tensor, which: str, step: int) -> Tensor:
        """Augment images before the discriminators see them."""
        source = derived_generator(self.config.seed, "diffaugment", which, step)
        return augment(images, self.config.optimiser.diffaugment, source)

    def _adam(self, network: nn.Module, betas: tuple[float, float]) -> torch.optim.Optimizer:
        return torch.optim.Adam(_learning(network), lr=self.config.optimiser.rate_discriminator, betas=betas, fused=True)

    def _penalty(self, real: Tensor, stage: Stage) -> Tensor:
        """Compute the gradient penalty on real images."""
        return gradient_penalty(lambda images: self.pixel_discriminator.forward(images, stage), real).mean()

    def _update(self, network: nn.Module, adam: torch.optim.Optimizer, loss: Tensor) -> None:
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        average_gradients(_learning(network), self.runtime)
        adam.step()

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        learning = [parameter for network in self.networks for parameter in _learning(network)]
        for parameter in learning:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in learning:
                parameter.requires_grad_(True)


def _learning(network: nn.Module) -> list[nn.Parameter]:
    """Return the trainable parameters."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
