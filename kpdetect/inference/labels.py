"""Names, left-right pairs, links and dropped keypoints of a model: `keypoints.yaml` beside its weights."""

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
    """What somebody said of a model's keypoints, all by the model's own numbers."""

    names: dict[int, str] = Field(default_factory=dict)
    """Name of a keypoint; those without one are called keypoint3 and the like."""
    pairs: tuple[Pair, ...] = ()
    """Keypoints that are each other's mirror image, such as the two eyes."""
    drop: tuple[int, ...] = ()
    """Keypoints left out of every result."""
    links: tuple[Pair, ...] = ()
    """Keypoints joined by a line in pictures and by an edge in the formats of other tools."""
    weights: str = ""
    """Hash of the weights that the labels were given to; two, with a comma, while one file takes the place of the other."""

    def are_of(self, weights: str) -> bool:
        """Whether the labels were given to the weights of this hash."""
        return weights in self.weights.split(",")

    def require(self, keypoints: int, source: str) -> None:
        """Check against a model of K keypoints; `source` begins the message.

        Raises:
            ConfigError: a keypoint that the model lacks, a name given twice or empty, a keypoint paired or linked with
                itself, in two pairs, or nothing left.
        """
        used = [*self.names, *self.drop, *(number for pair in (*self.pairs, *self.links) for number in pair)]
        for number in used:
            if not 0 <= number < keypoints:
                raise ConfigError(f"{source}: keypoint {number}: the model has 0 to {keypoints - 1}")
        names = self.skeleton_names(keypoints)
        if name := repeated(names):
            raise ConfigError(f"{source}: the name '{name}' is given twice; names must differ")
        if any(not name.strip() or len(name.splitlines()) > 1 for name in names):
            raise ConfigError(f"{source}: a name must be one line that is not empty")
        if formula := next(filter(is_formula, names), None):
            raise ConfigError(f"{source}: the name '{formula}' begins like a formula of a spreadsheet; change it")
        for one, other in (*self.pairs, *self.links):
            if one == other:
                raise ConfigError(f"{source}: {one},{other}: a pair or link needs two different keypoints")
        if (twice := repeated(number for pair in self.pairs for number in pair)) is not None:
            raise ConfigError(f"{source}: keypoint {twice} is in two pairs; it can have one mirror image only")
        if len(set(self.drop)) == keypoints:
            raise ConfigError(f"{source}: drops all {keypoints} keypoints; keep at least one")

    def skeleton_names(self, keypoints: int) -> list[str]:
        """Names of all K keypoints."""
        return [self.names.get(number, default_name(number)) for number in range(keypoints)]

    def skeleton(self, keypoints: int) -> Skeleton:
        """The keypoints of a model of K that are kept."""
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
    """The first item that is there twice; None where none is."""
    return next((item for item, count in Counter(items).items() if count > 1), None)


def _at_positions(pairs: Iterable[Pair], place: dict[int, int]) -> tuple[Pair, ...]:
    return tuple((place[one], place[other]) for one, other in pairs if one in place and other in place)


def read_labels(weights: Path, keypoints: int) -> Labels:
    """The labels beside a weights file of a model of K keypoints; empty ones where there is no such file.

    Raises:
        ConfigError: the file is no YAML of labels, or does not fit the model.
    """
    path = weights.parent / LABELS
    if not path.exists():
        return Labels()
    labels = read_config(Labels, path)
    labels.require(keypoints, str(path))
    return labels


def labels_of(weights: Path) -> Labels:
    """The labels beside a detector's weights file, see `read_labels`.

    Raises:
        ConfigError: they do not fit the model.
        CheckpointError: no weights there.
    """
    return read_labels(weights, read_detector_description(weights).keypoints)


@contextmanager
def labels_follow(weights: Path, writes: bool = True) -> Iterator[None]:
    """Keep the labels beside a detector's weights those of these weights, where the block trains the same network further.

    Args:
        weights: file of the weights, of a run folder; it need not be there yet, and without the checkpoint beside it another
            network is trained.
        writes: whether this process is the one that writes.

    Raises:
        ConfigError: the labels of a run that is continued cannot be read.
    """
    path = weights.parent / LABELS
    continued = writes and weights.is_file() and (weights.parent / CHECKPOINT).is_file()
    if continued and path.is_file():
        read_config(Labels, path)  # faults are told before anything is trained

    def mark(coming: str | None = None) -> None:
        if continued and weights.is_file() and path.is_file():
            labels, there = read_config(Labels, path), file_hash(weights)
            if labels.are_of(there) and labels.weights != (marked := _marked(there, coming)):
                write_config(labels.model_copy(update={"weights": marked}), path)

    with announced(weights, mark):  # so that a kill at any time leaves them marked for the weights that are there
        try:
            yield
        finally:  # an interrupted training has written weights too
            mark()


def _marked(there: str | None, coming: str | None) -> str:
    return ",".join(filter(None, (there, coming)))


def copy_labels(weights: Path, target: Path) -> None:
    """Write the labels beside a weights file beside another one too, whose keypoints mean the same.

    Those that were given to other weights than these stay marked so.

    Raises:
        ConfigError: they do not fit the model.
    """
    _copy(weights, target, file_hash(target))


@contextmanager
def labels_copied(weights: Path, target: Path) -> Iterator[None]:
    """`copy_labels` in the moment in which the block writes `target`: it is at no time without them.

    Args:
        weights: file of weights whose labels these are; without labels nothing is done.
        target: file of weights that the block may write.

    Raises:
        ConfigError: they do not fit the model.
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
