"""Names, left-right pairs, links and dropped keypoints of a model: `keypoints.yaml` in the folder of its weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from kpdetect.config import StrictConfig, read_config, write_config
from kpdetect.errors import ConfigError
from kpdetect.files.hashes import file_hash
from kpdetect.files.names import is_formula
from kpdetect.skeleton import Skeleton, default_name
from kpdetect.training.checkpoints import CHECKPOINT, announced, read_detector_description

LABELS = "keypoints.yaml"
Pair = tuple[int, int]
Item = TypeVar("Item")


class Labels(StrictConfig):
    """The labels that a user gave to a model's keypoints, by keypoint number."""

    names: dict[int, str] = Field(default_factory=dict)
    """Names by keypoint number. A keypoint without a name has a default name such as keypoint3."""
    pairs: tuple[Pair, ...] = ()
    """Pairs of keypoints that are each other's mirror image, such as the two eyes."""
    drop: tuple[int, ...] = ()
    """Keypoints that are left out of every result."""
    links: tuple[Pair, ...] = ()
    """Pairs of keypoints that are joined by a line in pictures and by an edge in the formats of other tools."""
    weights: str = ""
    """Hash of the weights that the labels belong to. While one weights file replaces another, both hashes, with a comma."""

    def are_of(self, weights: str) -> bool:
        """Tell whether the labels belong to the weights with this hash."""
        return weights in self.weights.split(",")

    def require(self, keypoints: int, source: str) -> None:
        """Check the labels against a model of K keypoints. An error message begins with `source`.

        Raises:
            ConfigError: the model has no such keypoint, a name is empty or occurs twice, or all keypoints are dropped. Or a
                keypoint is in two pairs, or is paired or linked with itself.
        """
        used = [*self.names, *self.drop, *(number for pair in (*self.pairs, *self.links) for number in pair)]
        for number in used:
            if not 0 <= number < keypoints:
                raise ConfigError(f"{source}: keypoint {number}: the model has the keypoints 0 to {keypoints - 1}")
        names = self.skeleton_names(keypoints)
        if name := repeated(names):
            raise ConfigError(f"{source}: two keypoints have the name '{name}'; give them different names")
        if any(not name.strip() or len(name.splitlines()) > 1 for name in names):
            raise ConfigError(f"{source}: a name must be one line that is not empty")
        if formula := next(filter(is_formula, names), None):
            raise ConfigError(
                f"{source}: a spreadsheet would read the name '{formula}' as a formula; change its first character"
            )
        for one, other in (*self.pairs, *self.links):
            if one == other:
                raise ConfigError(f"{source}: {one},{other}: expected two different keypoints in a pair or link")
        if (twice := repeated(number for pair in self.pairs for number in pair)) is not None:
            raise ConfigError(f"{source}: keypoint {twice} is in two pairs; keep one of them")
        if len(set(self.drop)) == keypoints:
            raise ConfigError(f"{source}: all {keypoints} keypoints are dropped; keep at least one")

    def skeleton_names(self, keypoints: int) -> list[str]:
        """List the names of all K keypoints."""
        return [self.names.get(number, default_name(number)) for number in range(keypoints)]

    def skeleton(self, keypoints: int) -> Skeleton:
        """Make the skeleton of the keypoints that are not dropped, for a model of K keypoints."""
        names = self.skeleton_names(keypoints)
        kept = [number for number in range(keypoints) if number not in set(self.drop)]
        place = {number: position for position, number in enumerate(kept)}
        return Skeleton(
            numbers=tuple(kept),
            names=tuple(names[number] for number in kept),
            links=_at_positions(self.links, place),
            pairs=_at_positions(self.pairs, place),
        )


def repeated(items: Iterable[Item]) -> Item | None:
    """Return the first item that occurs twice, or None."""
    return next((item for item, count in Counter(items).items() if count > 1), None)


def _at_positions(pairs: Iterable[Pair], place: dict[int, int]) -> tuple[Pair, ...]:
    return tuple((place[one], place[other]) for one, other in pairs if one in place and other in place)


def read_labels(weights: Path, keypoints: int) -> Labels:
    """Read the labels in the folder of a weights file, for a model of K keypoints. Without this file, return empty labels.

    Raises:
        ConfigError: the file is not a YAML file of labels, or does not fit the model.
    """
    path = weights.parent / LABELS
    if not path.exists():
        return Labels()
    labels = read_config(Labels, path)
    labels.require(keypoints, str(path))
    return labels


def labels_of(weights: Path) -> Labels:
    """Read the labels of a detector's weights file, see `read_labels`.

    Raises:
        ConfigError: the labels do not fit the model.
        CheckpointError: there are no weights.
    """
    return read_labels(weights, read_detector_description(weights).keypoints)


@contextmanager
def labels_follow(weights: Path, writes: bool = True) -> Iterator[None]:
    """Keep the labels of a detector valid while code in the `with` block trains its network further and replaces its weights.

    Args:
        weights: weights file in a run folder; it may not exist yet. If the folder holds no checkpoint, a new network is
            trained, and no labels are kept.
        writes: whether this process writes the files of the run.

    Raises:
        ConfigError: the labels of the continued run cannot be read.
    """
    path = weights.parent / LABELS
    continued = writes and weights.is_file() and (weights.parent / CHECKPOINT).is_file()
    if continued and path.is_file():
        read_config(Labels, path)  # report faults before the training

    def mark(coming: str | None = None) -> None:
        if continued and weights.is_file() and path.is_file():
            labels, there = read_config(Labels, path), file_hash(weights)
            if labels.are_of(there) and labels.weights != (marked := _marked(there, coming)):
                write_config(labels.model_copy(update={"weights": marked}), path)

    with announced(weights, mark):  # so that the labels stay marked for the existing weights if the process is killed
        try:
            yield
        finally:  # an interrupted training has written weights too
            mark()


def _marked(there: str | None, coming: str | None) -> str:
    return ",".join(filter(None, (there, coming)))


def copy_labels(weights: Path, target: Path) -> None:
    """Copy the labels of a weights file to another weights file with the same keypoints.

    If the labels are marked as belonging to other weights, the copy has the same mark.

    Raises:
        ConfigError: the labels do not fit the model.
    """
    _copy(weights, target, file_hash(target))


@contextmanager
def labels_copied(weights: Path, target: Path) -> Iterator[None]:
    """Copy labels to `target`, as `copy_labels` does, when the `with` block writes it. So `target` is never without labels.

    Args:
        weights: weights file with the labels to copy. If it has no labels, nothing is copied.
        target: weights file that the `with` block may write.

    Raises:
        ConfigError: the labels do not fit the model.
    """
    if not (weights.parent / LABELS).is_file():
        yield
        return

    def write(coming: str) -> None:
        _copy(weights, target, _marked(file_hash(target) if target.is_file() else None, coming))

    with announced(target, write):
        try:
            yield
        finally:  # an interrupted training has written weights too
            if target.is_file():
                copy_labels(weights, target)


def _copy(weights: Path, target: Path, marked: str) -> None:
    labels = labels_of(weights)
    own = labels.are_of(file_hash(weights))
    write_config(labels.model_copy(update={"weights": marked}) if own else labels, target.parent / LABELS)
