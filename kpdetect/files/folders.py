"""Folders for results. They are created before the work, and removed again if the work writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kpdetect.files.atomic import output_error
from kpdetect.files.listing import OUTPUT
from kpdetect.files.sources import SOURCES
from kpdetect.files.temporary import LOCK, temporary_name


def make_folder(folder: Path) -> Path:
    """Create `folder`, if it is missing, and check that files can be written into it.

    Raises:
        OutputError: `folder` is a file, or cannot be created or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = temporary_name(folder / "writable")  # if the process is killed, `sweep` removes it later
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    return folder


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Create `folder`. If the `with` block fails, remove a newly created folder that holds no results.

    Empty marker files and `sources.csv` do not count as results.

    Raises:
        OutputError: `folder` is a file, or cannot be created or written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    was_empty = bool(made) or (folder.is_dir() and {path.name for path in folder.iterdir()} == {LOCK})
    make_folder(folder)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):  # not empty
            if was_empty and {path.name for path in folder.iterdir()} <= {SOURCES, OUTPUT, LOCK}:
                for name in (SOURCES, OUTPUT):
                    (folder / name).unlink(missing_ok=True)
            for path in made:
                path.rmdir()
        raise
