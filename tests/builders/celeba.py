"""A copy of CelebA with four images, in the official layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kpdetect.images.image_files import write_image

COLUMNS = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"

ROWS = {
    "000005.jpg": "69 110 107 112 81 135 70 151 108 153",
    "000002.jpg": "72 111 109 110 90 132 71 152 107 150",
    "000009.jpg": "68 113 110 111 97 139 66 152 109 150",
    "000031.jpg": "70 112 108 111 88 137 73 150 105 154",
}

FIT, TEST = ["000005.jpg", "000002.jpg"], ["000031.jpg", "000009.jpg"]

TABLE, TRAINING = "list_landmarks_align_celeba.txt", "MAFL/training.txt"


def write_copy(folder: Path, size: tuple[int, int] = (218, 178)) -> Path:
    """An official layout with four images of `size` (height, width)."""
    (folder / "MAFL").mkdir(parents=True)
    (folder / "img_align_celeba").mkdir()
    for value, name in enumerate(ROWS):
        write_image(folder / "img_align_celeba" / name, np.full((*size, 3), 40 * value, np.uint8))
    lines = [str(len(ROWS)), COLUMNS, *(f"{name} {values}" for name, values in ROWS.items())]
    (folder / TABLE).write_text("\n".join(lines) + "\n")
    (folder / TRAINING).write_text("\n".join(FIT) + "\n")
    (folder / "MAFL" / "testing.txt").write_text("\n".join(TEST) + "\n")
    return folder
