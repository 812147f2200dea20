"""MATLAB's .mat files, read by scipy, which comes with scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpdetect.errors import FormatError, InputError


def read_mat(path: Path) -> dict[str, Any]:
    """The variables of a .mat file (version 7.2 or older) by name.

    Raises:
        InputError: no such file.
        FormatError: damaged, or no .mat file.
    """
    from scipy.io import loadmat

    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the data set's own .mat file")
    try:
        return dict(loadmat(str(path)))
    except Exception as error:  # scipy raises many kinds on damaged files
        raise FormatError(f"{path}: not a readable .mat file ({type(error).__name__}); download it again") from error
