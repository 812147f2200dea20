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
from kpdetect.inference.prediction_record import RECORD, read_prediction_record


def is_found_in(out: Path, stage: dict[str, Any], paths: Sequence[Path], root: Path) -> bool:
    """Whether the keypoints in `out` were found in these images with these settings. False if there are none.

    Args:
        out: folder of the keypoints.
        stage: identity of the keypoints that would be found now, see `kpdetect.inference.earlier_results.stage_of`.
        paths: the images.
        root: folder that their names are relative to.

    Raises:
        ConfigError: they were found in other images, or with other settings.
        FormatError: the record is damaged.
    """
    if not (out / RECORD).exists():
        return False
    record = read_prediction_record(out)
    hashes = {**(record.files or {}), **dict.fromkeys(record.skipped, None)}
    names = names_below(paths, root)
    same = all(record.content.get(key) == stage[key] for key in ("model", "settings")) and set(names) == set(hashes)
    if not same or any(hashes[name] not in (None, file_hash(path)) for name, path in zip(names, paths, strict=True)):
        raise ConfigError(
            f"{out.parent}: this project was trained on other images (files were added, removed or changed, others are "
            "excluded, or `levels` differs); give another `out`, or the same images to continue; `kpdetect predict` finds "
            "keypoints in other images"
        )
    return True
