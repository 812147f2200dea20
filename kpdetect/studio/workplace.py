"""The models and folders that the studio was opened on. The studio reads and writes only in these folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kpdetect.errors import CheckpointError, FormatError, InputError
from kpdetect.files.archives.opening import archive_at, is_archive
from kpdetect.files.folders import make_folder
from kpdetect.files.listing import OUTPUT
from kpdetect.inference.prediction_record import RECORD, read_prediction_head
from kpdetect.inference.predictions import TABLE, VIDEOS
from kpdetect.shipped import shipped_folder, shipped_models
from kpdetect.training.checkpoints import find_weights

EXAMPLE = "faces-64"
"""Name of the model that comes with kpdetect, with which pages begin if no model was given."""
FOLDER = "studio"
"""Name of the subfolder of a project in which the studio saves its files."""


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """The models and folders of one studio.

    Attributes:
        target: path of the model, project or predictions that the user gave; None if nothing was given.
        out: folder for pictures, edits and studies. It is created when something is saved.
        models: models that can be edited or named, by the texts that name them in commands.
        predictions: folders of predictions, on images and on videos.
        images: folder of images; None if it is unknown.
        compared: folders that the user gave for comparison.
        roots: folders with links resolved. Nothing outside them is read.
    """

    target: Path | None
    out: Path
    models: tuple[str, ...]
    predictions: tuple[Path, ...] = ()
    images: Path | None = None
    compared: tuple[Path, ...] = ()
    roots: tuple[Path, ...] = field(default=())

    @property
    def folder(self) -> Path | None:
        """The project or run folder that the studio was opened on; None if it was opened on something else."""
        return self.target if self.target is not None and self.target.is_dir() else None

    @property
    def first_model(self) -> str:
        """The text that names the model with which pages begin."""
        own = "" if self.target is None else str(self.target)
        return next((name for name in (own, EXAMPLE) if name in self.models), self.models[0])

    def inside(self, path: Path) -> Path:
        """Resolve the links of a path, and check that it lies in one of the studio's folders.

        Raises:
            InputError: the path lies elsewhere.
        """
        real = path.resolve()
        if not any(real == root or root in real.parents for root in self.roots):
            raise InputError(f"{path.name}: lies outside of the folders that the studio was opened on, or links there")
        return real

    def target_for(self, name: str) -> Path:
        """Return the path of a file to write in the studio's own folder, with links resolved.

        Raises:
            InputError: the path lies elsewhere.
        """
        real = (self.out / name).resolve()
        if self.out.resolve() not in real.parents:
            raise InputError(f"{name}: lies outside of {self.out}")
        return real

    def new_file(self, name: str) -> Path:
        """Return the path of a file to write, as `target_for` does, and create its folder.

        The folder is marked as a folder of results, so that no command reads its pictures as images.

        Raises:
            InputError: the path lies elsewhere.
            OutputError: the folder cannot be written.
        """
        path = self.target_for(name)
        make_folder(self.out)
        (self.out / OUTPUT).touch()
        return path

    def model(self, text: str) -> Path:
        """Return the path of a model that a page names.

        Raises:
            InputError: the text is not in `models`.
        """
        if text not in self.models:
            raise InputError(f"model {text}: not one of {', '.join(self.models)}")
        return Path(text)


def open_workplace(
    target: Path | None,
    *,
    out: Path | None = None,
    images: Path | None = None,
    predictions: Path | None = None,
    compared: Sequence[Path] = (),
) -> Workplace:
    """Find the models and folders that a call of `kpdetect studio` means.

    Args:
        target: project folder, run folder, weights file, the name of a model that comes with kpdetect, or a folder that
            `kpdetect predict` wrote; None for an example model.
        out: folder in which to save. By default it is the folder `studio` in the target, or in the working folder.
        images: folder of images for the Name and Review pages.
        predictions: folder that `kpdetect predict` wrote.
        compared: folders of images to compare on the Compare page.

    Raises:
        InputError: a path does not exist, or the studio cannot use it.
    """
    for given in (predictions, *compared):
        if given is not None and not given.is_dir():
            raise InputError(f"{given}: no such folder")
    if images is not None and not images.is_dir() and archive_at(images) is None:
        raise InputError(f"{images}: no such folder, and not a tar, HDF5 or Parquet file of images")
    if target is not None and not target.exists() and shipped_folder(target) is None:
        raise InputError(f"{target}: no such project or model; give a folder, a weights file or one of `kpdetect models`")
    is_folder = target is not None and target.is_dir() and shipped_folder(target) is None
    found = _predictions(target if is_folder else None, predictions)
    if predictions is not None and not found:
        raise InputError(f"{predictions}: no predictions.csv here; give a folder of `kpdetect predict`")
    where = out or (target / FOLDER if is_folder and target is not None else Path(FOLDER))
    source = images or next((path for each in found if (path := source_of(each)) and (path.is_dir() or is_archive(path))), None)
    opened = target.parent if target is not None and target.is_file() else target if is_folder else None
    sources = [path if path.is_dir() else path.parent for each in found if (path := source_of(each)) is not None]
    roots = [path for path in (opened, where, source, predictions, *compared, *sources) if path is not None]
    return Workplace(
        target=target,
        out=where,
        models=_models(target),
        predictions=tuple(found),
        images=source,
        compared=tuple(compared),
        roots=tuple(dict.fromkeys(path.resolve() for path in roots)),
    )


def _models(target: Path | None) -> tuple[str, ...]:
    own = [str(target)] if target is not None and any(_has(target, kind) for kind in ("generator", "detector")) else []
    return tuple(dict.fromkeys([*own, *(model.name for model in shipped_models())]))


def _has(model: Path, kind: str) -> bool:
    try:
        find_weights(model, kind)
    except CheckpointError:
        return False
    return True


def _predictions(target: Path | None, given: Path | None) -> list[Path]:
    """List the folders of predictions: first that of the images, then those of videos."""
    starts = [path for path in (given, target, target / "predictions" if target is not None else None) if path is not None]
    folders = [folder for start in starts for folder in (start, *sorted(start.glob(f"{VIDEOS}/*")))]
    return [folder for folder in dict.fromkeys(folders) if (folder / TABLE).is_file() and (folder / RECORD).is_file()]


def source_of(folder: Path) -> Path | None:
    """Return the folder of images or the video file of a folder of predictions; None if it no longer exists."""
    try:
        source = read_prediction_head(folder).source
    except (InputError, FormatError):
        return None
    return Path(source) if source is not None and (Path(source).exists() or is_archive(Path(source))) else None
