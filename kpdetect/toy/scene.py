"""A scene: all factors that decide one cartoon face. Each factor is drawn uniformly and independently of the others.

Lengths inside the face are in head units: 1 is half the head's height. The origin is the centre of the head. In an upright face
    x points to the right and y down; left means smaller x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, TypeVar

import numpy as np

from kpdetect.errors import ConfigError

MAX_SEED = 2**63 - 1
OCCLUDED_SHARE = 0.15
BACKGROUND_KINDS = ("plain", "gradient", "stripes", "blobs", "noise")
OCCLUDER_KINDS = ("bar", "disc")
Factors = TypeVar("Factors", bound="Pose | FaceParts | Colours | Light")


def between(low: float, high: float) -> Any:
    """Declare a factor that is drawn uniformly from [low, high)."""
    return field(metadata={"range": (low, high)})


@dataclass(frozen=True, kw_only=True)
class Pose:
    """The position, size and rotation of the head. Angles are in degrees; x, y and diameter are shares of the image's side."""

    x: float = between(0.44, 0.56)
    y: float = between(0.46, 0.58)
    diameter: float = between(0.48, 0.80)
    """Height of the head without hair."""
    roll: float = between(-25.0, 25.0)
    """Rotation in the image plane, clockwise."""
    yaw: float = between(-20.0, 20.0)
    """Rotation about the vertical axis. A positive angle moves the parts of the face towards larger x."""
    pitch: float = between(-14.0, 14.0)
    """Rotation about the horizontal axis. A positive angle moves the parts of the face down."""


@dataclass(frozen=True, kw_only=True)
class FaceParts:
    """Shapes of the parts of the head, in head units."""

    head_width: float = between(0.78, 0.92)
    jaw: float = between(0.05, 0.30)
    """Narrowing of the chin, relative to an ellipse."""
    hairline: float = between(0.56, 0.74)
    """Height of the middle of the hairline above the head's centre."""
    parting: float = between(-0.18, 0.18)
    """Slope of the hairline."""
    hair_length: float = between(0.0, 1.0)
    hair_volume: float = between(0.08, 0.22)
    eye_spacing: float = between(0.29, 0.43)
    """Distance from the middle of the face to the centre of an eye."""
    eye_height: float = between(0.02, 0.13)
    eye_open: float = between(0.10, 0.19)
    """Half the height of an eye's opening."""
    gaze_x: float = between(-0.06, 0.06)
    gaze_y: float = between(-0.03, 0.03)
    brow_raise: float = between(-0.05, 0.11)
    brow_asymmetry: float = between(-0.05, 0.05)
    """Distance by which the right brow is raised and the left one is lowered."""
    brow_tilt: float = between(-24.0, 24.0)
    """Rotation of the brows in degrees. A positive angle lowers their inner ends."""
    nose_length: float = between(0.14, 0.34)
    """Length of the nose from the line of the eyes to its tip, in addition to a fixed length."""
    mouth_height: float = between(0.50, 0.62)
    """Distance of the middle of the mouth below the head's centre."""
    mouth_shift: float = between(-0.13, 0.13)
    mouth_width: float = between(0.20, 0.40)
    """Half the distance between the corners of the mouth."""
    mouth_open: float = between(0.0, 0.20)
    smile: float = between(-0.11, 0.15)
    """Height of the mouth's corners above its middle."""


@dataclass(frozen=True, kw_only=True)
class Colours:
    """Hue, saturation and value of each material. Hues are on a circle of length 1; saturation and value are in [0, 1]."""

    skin_hue: float = between(0.035, 0.105)
    skin_saturation: float = between(0.28, 0.58)
    skin_value: float = between(0.76, 1.0)
    hair_hue: float = between(-0.06, 0.12)
    hair_saturation: float = between(0.20, 0.95)
    hair_value: float = between(0.08, 0.38)
    iris_hue: float = between(0.05, 0.70)
    iris_value: float = between(0.15, 0.45)
    lips_hue: float = between(-0.10, 0.01)
    lips_value: float = between(0.60, 0.90)


@dataclass(frozen=True, kw_only=True)
class Light:
    """A brightness that changes linearly across the image."""

    gain: float = between(0.75, 1.12)
    direction: float = between(0.0, 360.0)
    """Direction towards the bright side, in degrees."""
    slope: float = between(0.0, 0.30)
    """Relative change of the brightness from the middle of the image to its border."""


@dataclass(frozen=True, kw_only=True)
class Backdrop:
    """The background: two colours (hue, saturation, value) that are never skin colours, and a texture."""

    kind: str
    first: tuple[float, float, float]
    second: tuple[float, float, float]
    angle: float
    """Angle of gradients and stripes, in degrees."""
    period: float
    """Period of stripes and blobs, as a share of the image's side."""
    texture: int
    """Random seed of the positions of stripes and blobs, and of the noise."""


@dataclass(frozen=True, kw_only=True)
class Occluder:
    """An object of one colour in front of the head. Its position and lengths are in head units, in the head frame."""

    kind: str
    x: float
    y: float
    radius: float
    """Radius of a disc. Half the thickness of a bar is 0.6 times this value, and half its length is 3 times this value."""
    angle: float
    colour: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All factors of one image. The image depends only on them."""

    pose: Pose
    parts: FaceParts
    colours: Colours
    light: Light
    background: Backdrop
    occluder: Occluder | None


def sample_scene(seed: int, index: int) -> Scene:
    """Draw the scene number `index` of the data set with the seed `seed`. The scene depends only on these two numbers.

    Raises:
        ConfigError: `seed` or `index` is outside 0 to 2^63 - 1.
    """
    for name, value in (("seed", seed), ("index", index)):
        if not 0 <= value <= MAX_SEED:
            raise ConfigError(f"`{name}={value}`: expected 0 to {MAX_SEED}; choose another number")
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, index], dtype=np.uint64)))
    return Scene(
        pose=_draw(Pose, generator),
        parts=_draw(FaceParts, generator),
        colours=_draw(Colours, generator),
        light=_draw(Light, generator),
        background=_draw_background(generator),
        occluder=_draw_occluder(generator),
    )


@cache
def factor_ranges(kind: Callable[..., object]) -> dict[str, tuple[float, float]]:
    """Return the range (low, high) of each factor of a group, such as `Pose`, in the order in which the factors are drawn."""
    return {entry.name: entry.metadata["range"] for entry in fields(kind)}  # type: ignore[arg-type]


def _draw(kind: type[Factors], generator: np.random.Generator) -> Factors:
    ranges = factor_ranges(kind)  # type: ignore[arg-type]
    shares = generator.random(len(ranges)).tolist()
    return kind(**{name: low + (high - low) * share for (name, (low, high)), share in zip(ranges.items(), shares, strict=True)})


def _draw_background(generator: np.random.Generator) -> Backdrop:
    hue, saturation, value, other_hue, other_saturation, other_value, angle, period = generator.random(8).tolist()
    return Backdrop(
        kind=BACKGROUND_KINDS[int(generator.integers(len(BACKGROUND_KINDS)))],
        first=(0.25 + 0.52 * hue, 0.30 + 0.50 * saturation, 0.50 + 0.45 * value),
        second=(0.25 + 0.52 * other_hue, 0.30 + 0.50 * other_saturation, 0.35 + 0.60 * other_value),
        angle=360.0 * angle,
        period=0.16 + 0.22 * period,
        texture=int(generator.integers(MAX_SEED)),
    )


def _draw_occluder(generator: np.random.Generator) -> Occluder | None:
    chance, kind, x, y, radius, angle, hue, value = generator.random(8).tolist()
    if chance >= OCCLUDED_SHARE:
        return None
    return Occluder(
        kind=OCCLUDER_KINDS[int(2 * kind)],
        x=1.4 * x - 0.7,
        y=1.6 * y - 0.8,
        radius=0.20 + 0.15 * radius,
        angle=180.0 * angle,
        colour=(0.20 + 0.60 * hue, 0.75, 0.40 + 0.55 * value),
    )
