"""The settings of a comparison of methods: sets of annotated images, methods and budgets, as a YAML file.

OUT/config.yaml                          the settings
OUT/cells/SET/BASELINE.json              the error of a baseline
OUT/cells/SET/METHOD-BUDGET/project      a project of `kpdetect run`
OUT/cells/SET/METHOD-BUDGET/spent.json   seconds of training and measurement so far, over all calls
OUT/cells/SET/METHOD-BUDGET/cell.json    its error
OUT/comparison.csv, comparison.md        the table
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from kpdetect.config import LARGEST_SEED, StrictConfig, read_config
from kpdetect.images.arrays import CropPolicy
from kpdetect.project.config import Method
from kpdetect.project.orientation import DEFAULT, Orientation

Baseline = Literal["pixels", "random"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""Name of a set or budget. It becomes the name of a folder."""


class SetConfig(StrictConfig):
    """A set of annotated images. Paths are relative to the YAML file."""

    images: Path
    """Folder of the images on which detectors are trained. All of them are used, without annotations."""
    annotations: Path
    """Annotations in any format of `kpdetect benchmark table:FILE`. Names are relative to `images`."""
    fit: Path | None = None
    """List of the images inside which errors are cross-validated; by default all annotated images."""
    groups: Path | None = None
    """CSV with the columns image and `group`. Images of one group are never in two folds."""
    group: str = "group"
    """Name of the column of `groups`."""
    exclude: tuple[Path, ...] = ()
    """Lists of images to leave out of all training."""
    crop: CropPolicy = "centre"
    """How an image becomes square."""
    orientation: Orientation = DEFAULT
    """Directions of the objects, as `kpdetect run --orientation`."""
    turns: Literal[1, 4] = 1
    """4: errors are measured on the annotated images in four quarter turns. All turns of an image are in one fold."""


class BudgetConfig(StrictConfig):
    """The budget of each cell: minutes, or settings such as numbers of steps, which do not depend on the machine."""

    minutes: float | None = Field(None, gt=0)
    """Minutes of training, as `kpdetect run --minutes`."""
    overrides: dict[Method, tuple[str, ...]] = {}
    """Settings KEY=VALUE of each method, as `kpdetect run --set`."""


class ComparisonConfig(StrictConfig):
    """The settings of a comparison."""

    sets: dict[Name, SetConfig] = Field(min_length=1)
    """The sets of images."""
    methods: tuple[Method, ...] = ("gan", "imm", "correspondence")
    """The methods of `kpdetect run`."""
    baselines: tuple[Baseline, ...] = ("pixels", "random")
    """`pixels`: the image as 32x32 grey pixels. `random`: features of a network with random weights."""
    budgets: dict[Name, BudgetConfig] = Field(min_length=1)
    """The budgets of each method on each set."""
    continues: bool = False
    """Whether a method's project continues the one of the budget before, as a repeated `kpdetect run` with more minutes does.
    List the budgets from the smallest to the largest. No schedule of a training depends on its minutes, so a training goes on
    as in a new project. A stage is made again if the one before it was trained further. A round that time ended keeps its
    number of images."""
    keypoints: int | None = Field(None, ge=1, le=64)
    """Number of keypoints; by default that of `kpdetect run` with each method."""
    size: int = 64
    """Side of generated images in pixels."""
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Seed of all random values."""


def read_comparison(path: Path) -> ComparisonConfig:
    """Read the settings, and make the paths of the sets absolute.

    Raises:
        ConfigError: the file is missing or has unknown keys or invalid values.
    """
    config, base = read_config(ComparisonConfig, path), path.resolve().parent
    return config.model_copy(update={"sets": {name: _absolute(base, each) for name, each in config.sets.items()}})


def _absolute(base: Path, given: SetConfig) -> SetConfig:
    named = {name: value for name in ("images", "annotations", "fit", "groups") if (value := getattr(given, name)) is not None}
    paths = {name: base / value for name, value in named.items()}
    return given.model_copy(update={**paths, "exclude": tuple(base / each for each in given.exclude)})
