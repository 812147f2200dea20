"""Pictures of phones: HEIC files that these tests write, turned once and as the file says."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from kpdetect.data.folder import build_cache
from kpdetect.errors import InputError
from kpdetect.images.image_files import image_size, is_turned, list_names, read_image, read_image_and_hash

pillow_heif = pytest.importorskip("pillow_heif", reason="the package pillow-heif is not installed")

HEIGHT, WIDTH = 48, 64
QUARTERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))
"""Colours of the picture's quarters: top left, top right, bottom left, bottom right."""
TURNED = {1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "BRWG", 7: "WGBR", 8: "GWRB"}
"""The quarters in the same order, after each orientation of EXIF (TIFF 6.0, tag 274)."""


def picture() -> np.ndarray:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number, colour in enumerate(QUARTERS):
        down, across = divmod(number, 2)
        image[down * HEIGHT // 2 : (down + 1) * HEIGHT // 2, across * WIDTH // 2 : (across + 1) * WIDTH // 2] = colour
    return image


def quarters(image: np.ndarray) -> str:
    """Letters of the colours in the middle of each quarter."""
    height, width = image.shape[:2]
    names = dict(zip(((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)), "RGBW", strict=True))
    middles = [image[height * down // 4, width * across // 4] // 128 for down in (1, 3) for across in (1, 3)]
    return "".join(names[tuple(int(part) for part in middle)] for middle in middles)


def write_heic(path: Path, orientation: int = 1, *, in_exif_alone: bool = False) -> Path:
    """A HEIC file. Its orientation stands in EXIF and, as phones write it, in the boxes irot and imir that HEIC goes by."""
    pillow_heif.register_heif_opener()
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    content = BytesIO()
    # pillow-heif writes the boxes of an orientation that is given as bytes
    PIL.Image.fromarray(picture()).save(content, "HEIF", quality=95, exif=exif if in_exif_alone else exif.tobytes())
    path.write_bytes(content.getvalue())
    return path


@pytest.mark.parametrize("orientation", TURNED)
def test_a_picture_is_turned_once(tmp_path: Path, orientation: int) -> None:
    path = write_heic(tmp_path / "a.heic", orientation)
    assert (b"irot" in path.read_bytes() or b"imir" in path.read_bytes()) is (orientation > 1)
    image = read_image(path)
    assert quarters(image) == TURNED[orientation]
    assert image_size(path) == image.shape[:2] == ((HEIGHT, WIDTH) if orientation < 5 else (WIDTH, HEIGHT))
    assert not is_turned(path)
    np.testing.assert_array_equal(read_image_and_hash(path)[0], image)


def test_an_orientation_in_exif_alone_turns_nothing(tmp_path: Path) -> None:
    """In HEIC the boxes decide (ISO/IEC 23008-12); EXIF only repeats what a camera held."""
    path = write_heic(tmp_path / "a.heif", 6, in_exif_alone=True)
    assert b"irot" not in path.read_bytes()
    assert quarters(read_image(path)) == "RGBW"
    assert image_size(path) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("kept", [0, 11, 40, 400, -60])
def test_a_damaged_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = write_heic(tmp_path / "a.heic")
    path.write_bytes(path.read_bytes()[:kept])
    for read in (read_image, image_size):
        if read is image_size and kept == -60:
            continue  # the header is whole
        with pytest.raises(InputError, match=r"a\.heic: not a readable image \(.*; remove or replace it"):
            read(path)


def test_a_folder_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(17):
        write_heic(folder / f"{number:02d}.{'heic' if number % 2 else 'HEIF'}", 6)
    (folder / "05.heic").write_bytes(b"no picture")
    assert len(list_names(folder)) == 17
    cache = build_cache(folder, tmp_path / "out", 32, "stretch", set())
    assert [quarters(image) for image in cache.images] == ["BRWG"] * 16
    assert "05.heic,05.heic" in (tmp_path / "out" / "skipped.csv").read_text().replace(f"{folder}/", "")
