"""The annotated images of a protocol, and the folder of the results."""

from __future__ import annotations

from pathlib import Path

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.datasets.loaders import load_dataset
from benchmarks.datasets.own_table import TABLE, TableOptions, load_table
from benchmarks.evaluation.measured_model import Source
from benchmarks.protocol.named import Protocol, find_protocol
from kpdetect.errors import InputError
from kpdetect.shipped import is_shipped
from kpdetect.training.checkpoints import find_weights, is_detector_stage


def read_benchmark(protocol_name: str, data: Path, annotated: TableOptions | None = None) -> tuple[Protocol, LandmarkSet]:
    """Read the protocol and its annotated images.

    Args:
        protocol_name: a key of `PROTOCOLS`, or `table:` and the path of an annotation file.
        data: folder of the data set; for an annotation file, the folder of its images.
        annotated: split and unit for an annotation file.

    Raises:
        InputError: the protocol is unknown, or data are missing.
        FormatError: the annotations are damaged.
    """
    annotated = annotated or TableOptions()
    return read_images(named_protocol(protocol_name, annotated), protocol_name, data, annotated)


def named_protocol(protocol_name: str, annotated: TableOptions) -> Protocol | None:
    """Return the protocol of a name; None for an annotation file.

    Raises:
        InputError: there is no such protocol, or `annotated` is set for a named protocol.
    """
    if protocol_name.startswith(TABLE):
        return None
    protocol = find_protocol(protocol_name)
    if annotated != TableOptions():
        raise InputError(
            f"protocol '{protocol_name}': its split and unit are fixed; "
            "`normaliser`, `fit_list` and `test_list` are for table:FILE only, so leave them out"
        )
    return protocol


def read_images(known: Protocol | None, name: str, data: Path, annotated: TableOptions) -> tuple[Protocol, LandmarkSet]:
    """Read the annotated images of a named protocol, or a table with its protocol; see `read_benchmark`."""
    if known is None:
        return load_table(Path(name.removeprefix(TABLE)), data, annotated)
    return known, load_dataset(known, data)


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
