"""The annotated images of a protocol, and the folder of the results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.datasets.loaders import load_dataset
from benchmarks.datasets.own_table import TABLE, TableOptions, load_table
from benchmarks.evaluation.measured_model import Source
from benchmarks.protocol.named import Protocol, find_protocol
from kpdetect.errors import InputError
from kpdetect.shipped import is_shipped
from kpdetect.training.checkpoints import find_weights, is_detector_stage


@dataclass(frozen=True, kw_only=True)
class BenchmarkInputs:
    """The inputs of a benchmark or of a cross-validation.

    Attributes:
        protocol: name of a protocol, a key of `PROTOCOLS`, or `table:` and the path of an annotation file.
        data: folder of the data set; for an annotation file, the folder of its images.
        out: folder for results; None for the default, see `results_folder`.
        source: the model or the stored predictions.
        annotated: split and unit for an annotation file.
    """

    protocol: str
    data: Path
    out: Path | None = None
    source: Source = Source()
    annotated: TableOptions = TableOptions()

    def __post_init__(self) -> None:
        """Check the name of the protocol.

        Raises:
            InputError: there is no such protocol, or `annotated` is set for a named protocol.
        """
        if self._is_table:
            return
        find_protocol(self.protocol)
        if self.annotated != TableOptions():
            raise InputError(
                f"protocol '{self.protocol}': its split and unit are fixed; "
                "`normaliser`, `fit_list` and `test_list` are for table:FILE only, so leave them out"
            )

    @property
    def _is_table(self) -> bool:
        return self.protocol.startswith(TABLE)

    @property
    def folder(self) -> Path:
        """The folder for results.

        Raises:
            InputError, CheckpointError: see `results_folder`.
        """
        return results_folder(self.source) if self.out is None else self.out

    def read(self) -> tuple[Protocol, LandmarkSet]:
        """Read the protocol and its annotated images.

        Raises:
            InputError: data are missing.
            FormatError: the annotations are damaged.
        """
        if self._is_table:
            return load_table(Path(self.protocol.removeprefix(TABLE)), self.data, self.annotated)
        protocol = find_protocol(self.protocol)
        return protocol, load_dataset(protocol, self.data)


def results_folder(source: Source) -> Path:
    """Return the default folder for results: `results` in the model's folder, or the folder of the predictions.

    Raises:
        InputError: there is neither a model nor predictions, or the model comes with the package.
        CheckpointError: there is no detector at the model's path.
    """
    if source.model is None and source.predictions is None:
        raise InputError("benchmark: nothing to measure; give `model`, or `out` to measure the baselines alone")
    path = source.predictions or find_weights(source.model or Path(), "detector")
    if is_shipped(path):
        raise InputError(f"{source.model}: this model comes with the package; give a folder for the results with `out`")
    return path.parent if path.suffix == ".h5" else _project(path) / "results"


def _project(path: Path) -> Path:
    folder = path.parent if path.is_file() else path
    return folder.parent if folder.name == "predictions" or is_detector_stage(folder) else folder
