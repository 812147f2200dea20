"""Starting a new run from weights that exist: `--init-from`.

Unlike continuing, the configuration may differ in everything but the shapes of the networks; optimisers and step count start
afresh. The run folder keeps `initial.json`, so that a continued run needs the old weights no more, and its record of real
images names those behind them too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from kpdetect.errors import CheckpointError
from kpdetect.files.atomic import read_json, write_json
from kpdetect.files.hashes import file_hash
from kpdetect.files.reading import reading
from kpdetect.files.records import checked
from kpdetect.files.sources import merge_sources
from kpdetect.training.checkpoints import CHECKPOINT, find_weights, load_checkpoint, load_weights
from kpdetect.training.run_folder import RunFolder

RECORD = "initial.json"


class InitialWeights:
    """Weights to start from.

    Attributes:
        path: the weights file.
        tensors: what it holds.
    """

    def __init__(self, path: Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
        self.path, self.tensors, self.description = path, tensors, description

    @classmethod
    def read(cls, source: Path, kind: str) -> InitialWeights:
        """Read the weights of a `kind` ("generator" or "detector") from a weights file, run folder or project.

        Raises:
            CheckpointError: nothing there, or damaged.
        """
        path = find_weights(source, kind)
        return cls(path, *load_weights(path, kind))

    def load_into(self, *networks: nn.Module) -> None:
        """Give the weights to networks of their shape.

        Raises:
            CheckpointError: they have another shape; the first mismatch is named.
        """
        for network in networks:
            load_fitting(network, self.tensors, self.path)

    @property
    def checkpoint(self) -> Path:
        """Where the state of the same run's training lies, if it was kept."""
        return self.path.with_name(CHECKPOINT)

    def companion(self, name: str) -> dict[str, Tensor] | None:
        """The state of another network of the same run, from the checkpoint beside the weights; None where it is not there."""
        if not self.checkpoint.exists():
            return None
        state: dict[str, Tensor] | None = load_checkpoint(self.checkpoint, str(self.description["kind"])).get(name)
        if state is not None and not (isinstance(state, dict) and all(isinstance(each, Tensor) for each in state.values())):
            raise CheckpointError(f"{self.checkpoint}: {name} is no state of a network; delete the checkpoint or copy it again")
        return state

    def record(self, run: RunFolder) -> None:
        """Note in the run folder what it began with, and add to its record the real images behind that."""
        if not run.writes:
            return
        facts = {
            "weights": self.path.name,
            "hash": file_hash(self.path),
            "images_seen": self.description.get("images_seen"),
            "minutes": self.description.get("minutes"),
            "began_with": self.description.get("began_with"),
        }
        merge_sources(run.folder, self.path.parent)
        write_json(run.folder / RECORD, facts)


def forget_beginning(run: RunFolder) -> None:
    """Remove the note of a run that was killed before its first checkpoint: the next one may begin otherwise."""
    (run.folder / RECORD).unlink(missing_ok=True)


def load_fitting(network: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Load tensors into a network of the same shape.

    Raises:
        CheckpointError: naming the first tensor that is missing, unknown or of another shape.
    """
    own = network.state_dict()
    for name in sorted({**own, **tensors}):
        ours, theirs = own.get(name), tensors.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            shapes = ["nothing" if each is None else str(list(each.shape)) for each in (theirs, ours)]
            raise CheckpointError(
                f"{source}: does not fit this configuration: {name} is {shapes[0]} there and {shapes[1]} here; "
                "use the configuration it was trained with, see kpdetect info"
            )
    with reading(source, CheckpointError):
        network.load_state_dict(tensors)


def began_with(run: RunFolder) -> dict[str, Any] | None:
    """What `InitialWeights.record` noted; None for a run that began with random weights."""
    path = run.folder / RECORD
    return checked(dict[str, Any], read_json(path), path) if path.exists() else None
