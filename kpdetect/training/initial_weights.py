"""Start a new run from existing weights: `--init-from`.

The new run does not continue the old one. Only the shapes of the networks must be equal, and optimisers and step count start
from zero. `initial.json` in the run folder records the old weights, which are not needed to continue the new run. The new run's
list of real images includes those that the old weights were trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from kpdetect.errors import CheckpointError
from kpdetect.files.atomic import read_json, write_json
from kpdetect.files.hashes import file_hash
from kpdetect.files.reading import reading
from kpdetect.files.records import checked
from kpdetect.files.sources import merge_sources
from kpdetect.training.checkpoints import CHECKPOINT, find_weights, load_checkpoint
from kpdetect.training.described_weights import load_described
from kpdetect.training.model_description import KINDS, ModelDescription
from kpdetect.training.run_folder import RunFolder

RECORD = "initial.json"


class InitialWeights:
    """Weights to start from.

    Attributes:
        path: the weights file.
        tensors: the tensors in the weights file, by name.
        description: the description in the weights file.
    """

    def __init__(self, path: Path, tensors: dict[str, Tensor], description: ModelDescription) -> None:
        self.path, self.tensors, self.description = path, tensors, description

    @classmethod
    def read(cls, source: Path, kind: str) -> InitialWeights:
        """Read the weights of a `kind` ("generator" or "detector") from a weights file, run folder or project.

        Raises:
            CheckpointError: there are no weights, or they are damaged.
        """
        path = find_weights(source, kind)
        return cls(path, *load_described(path, KINDS[kind]))

    def load_into(self, *networks: nn.Module) -> None:
        """Load the weights into networks of the same shape.

        Raises:
            CheckpointError: a tensor has another shape. The message names the first one.
        """
        for network in networks:
            load_fitting(network, self.tensors, self.path)

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint in the folder of the weights file. It may not exist."""
        return self.path.with_name(CHECKPOINT)

    def companion(self, name: str) -> dict[str, Tensor] | None:
        """Read the state of another network, `name`, from the checkpoint of the same run. Return None if it is missing."""
        if not self.checkpoint.exists():
            return None
        state: dict[str, Tensor] | None = load_checkpoint(self.checkpoint, self.description.kind).get(name)
        if state is not None and not (isinstance(state, dict) and all(isinstance(value, Tensor) for value in state.values())):
            raise CheckpointError(
                f"{self.checkpoint}: {name} is not the state of a network; delete the checkpoint or copy it again"
            )
        return state

    def record(self, run: RunFolder) -> None:
        """Record these weights in the folder of the new run. Add their real training images to the list of the run."""
        if not run.writes:
            return
        record = {
            "weights": self.path.name,
            "hash": file_hash(self.path),
            "images_seen": self.description.images_seen,
            "minutes": self.description.minutes,
            "began_with": self.description.began_with,
        }
        merge_sources(run.folder, self.path.parent)
        write_json(run.folder / RECORD, record)


class Starting(Protocol):
    """A trainer that can start from existing weights.

    Attributes:
        kind: name of the trained network.
        run: folder of the run.
    """

    kind: ClassVar[str]
    run: RunFolder

    def start_from(self, initial: InitialWeights) -> None:
        """Load the weights."""


def begin(trainer: Starting, initial: Path | None) -> None:
    """Start a run that has no checkpoint yet from existing weights. None: from its random weights.

    A call that did not reach its first checkpoint may have recorded other weights. Its record is removed.

    Raises:
        CheckpointError: there are no weights, they are damaged, or they do not fit the network.
    """
    run = trainer.run
    if run.checkpoint.exists():
        return
    if run.writes:
        (run.folder / RECORD).unlink(missing_ok=True)
    if initial is not None:
        trainer.start_from(InitialWeights.read(initial, trainer.kind))


def load_fitting(network: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Load tensors into a network of the same shape.

    Raises:
        CheckpointError: a tensor is missing, unknown or of another shape. The message names the first one.
    """
    expected = network.state_dict()
    for name in sorted({**expected, **tensors}):
        ours, theirs = expected.get(name), tensors.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            shapes = ["nothing" if tensor is None else str(list(tensor.shape)) for tensor in (theirs, ours)]
            raise CheckpointError(
                f"{source}: do not fit this configuration: {name} is {shapes[0]} in the file and {shapes[1]} in the "
                "configuration; use the configuration of the weights, see `kpdetect info`"
            )
    with reading(source, CheckpointError):
        network.load_state_dict(tensors)


def began_with(run: RunFolder) -> dict[str, Any] | None:
    """Read the record of the weights that a run started from. Return None if it started from random weights."""
    path = run.folder / RECORD
    return checked(dict[str, Any], read_json(path), path) if path.exists() else None
