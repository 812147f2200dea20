"""Whether keypoints that were found earlier belong to the present images and settings.

The identity of finished keypoints holds the times of the files. If only the times have changed, for example because the images
were copied, this module compares the contents.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kpdetect.errors import ConfigError
from kpdetect.files.files_below import names_below
from kpdetect.files.hashes import file_hash
from kpdetect.inference.earlier_results import inputs_key
from kpdetect.inference.prediction_record import RECORD, TABLE, read_prediction_head, read_prediction_record


def require_same_images(out: Path, paths: Sequence[Path], root: Path) -> None:
    """Check that the keypoints in `out` were found in these images. Without finished keypoints there is nothing to check.

    Args:
        out: folder of the keypoints.
        paths: the images.
        root: folder that their names are relative to.

    Raises:
        ConfigError: they were found in other images.
        FormatError: the record is damaged.
    """
    if not _are_finished(out) or read_prediction_head(out).content.get("inputs") == inputs_key(paths):
        return
    record = read_prediction_record(out)
    hashes = {**(record.files or {}), **dict.fromkeys(record.skipped, None)}
    names = names_below(paths, root)
    if set(names) != set(hashes) or any(
        hashes[name] not in (None, file_hash(path)) for name, path in zip(names, paths, strict=True)
    ):
        raise ConfigError(
            f"{out.parent}: this project was trained on other images (files were added, removed or changed, or others are "
            "excluded); give another `out`, or the same images to continue; `kpdetect predict` finds keypoints in other images"
        )


def is_found_so(out: Path, stage: dict[str, Any]) -> bool:
    """Whether the keypoints in `out` were found with these settings. False if there are no finished ones.

    Args:
        out: folder of the keypoints.
        stage: identity of the keypoints that would be found now, see `kpdetect.inference.earlier_results.stage_of`.

    Raises:
        ConfigError: they were found with other settings.
        FormatError: the record is damaged.
    """
    if not _are_finished(out):
        return False
    content = read_prediction_head(out).content
    if any(content.get(key) != stage[key] for key in ("model", "settings")):
        raise ConfigError(
            f"{out.parent}: this project was trained on keypoints of other features (`correspondence.features` or `levels` "
            "differs); give another `out`, or the same settings to continue"
        )
    return True


def _are_finished(out: Path) -> bool:
    return (out / RECORD).exists() and (out / TABLE).exists()
