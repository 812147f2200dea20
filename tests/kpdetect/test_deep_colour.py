"""Colour pictures of 16 bits a channel are read with the levels of grey ones."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from kpdetect.errors import InputError
from kpdetect.images import levels
from kpdetect.images.image_files import read_image, read_image_and_hash
from kpdetect.inference.page_reader import PageReader

HEIGHT, WIDTH = 5, 7
RAMP = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint16).reshape(HEIGHT, WIDTH, 3)
TWELVE_BITS = RAMP * 39
"""0 to 4,056: a camera of 12 bits."""
ALPHA = np.full((HEIGHT, WIDTH, 1), 65535, np.uint16)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(levels.VARIABLE, "auto")  # restored afterwards, whatever a test sets
    monkeypatch.setattr(levels, "_said", levels.Lock())


def scaled(values: np.ndarray, white: int) -> list:
    return np.clip(values * (255 / white), 0, 255).round().astype(np.uint8).tolist()


def write_cv(path: Path, values: np.ndarray, *settings: int) -> None:
    order = [2, 1, 0, 3][: values.shape[-1]]
    assert cv2.imwrite(str(path), values[..., order], list(settings))


def write_big_endian_tiff(path: Path, values: np.ndarray) -> None:
    """Uncompressed, its bytes in Motorola's order, with EXIF orientation 6: to be turned a quarter to the right."""
    height, width, _ = values.shape
    data = values.astype(">u2").tobytes()
    bits = 8 + len(data)
    fields = [
        (256, 3, 1, width << 16), (257, 3, 1, height << 16), (258, 3, 3, bits), (259, 3, 1, 1 << 16), (262, 3, 1, 2 << 16),
        (273, 4, 1, 8), (274, 3, 1, 6 << 16), (277, 3, 1, 3 << 16), (278, 3, 1, height << 16), (279, 4, 1, len(data)),
    ]  # fmt: skip
    entries = b"".join(struct.pack(">HHII", *field) for field in fields)
    head = b"MM\0*" + struct.pack(">I", bits + 6)
    path.write_bytes(
        head + data + struct.pack(">HHH", 16, 16, 16) + struct.pack(">H", len(fields)) + entries + struct.pack(">I", 0)
    )


def write_grey_and_alpha(path: Path, grey: np.ndarray) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = np.stack([grey, np.full_like(grey, 65535)], axis=-1).astype(">u2")
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 16, 4, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "rgb.png": write_cv,
    "rgba.png": lambda path, values: write_cv(path, np.concatenate([values, ALPHA], axis=-1)),
    "plain.tif": lambda path, values: write_cv(path, values, cv2.IMWRITE_TIFF_COMPRESSION, 1),
    "lzw.tif": lambda path, values: write_cv(path, values, cv2.IMWRITE_TIFF_COMPRESSION, 5),
    "deflate.tif": lambda path, values: write_cv(path, values, cv2.IMWRITE_TIFF_COMPRESSION, 8),
}


@pytest.mark.parametrize("name", WRITERS)
def test_twelve_bits_in_sixteen_are_found_and_said_once(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / name
    WRITERS[name](path, TWELVE_BITS)
    for _ in range(2):
        assert read_image(path).tolist() == scaled(TWELVE_BITS, 4095)
    assert read_image_and_hash(path)[0].tolist() == scaled(TWELVE_BITS, 4095)
    assert [record.message.count("16 bits but reach only 4,056") for record in caplog.records] == [1]


@pytest.mark.parametrize("name", WRITERS)
def test_all_levels_apply(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path, RAMP * 629)  # 0 to 65,416
    assert read_image(path).tolist() == scaled(RAMP * 629, 65535)
    levels.use_levels("1000,3000")
    expected = np.clip((RAMP.astype(float) * 629 - 1000) * (255 / 2000), 0, 255).round()
    assert read_image(path).tolist() == expected.astype(np.uint8).tolist()


def test_full_levels_keep_a_dark_picture_dark(tmp_path: Path) -> None:
    write_cv(tmp_path / "a.png", TWELVE_BITS)
    levels.use_levels("full")
    assert read_image(tmp_path / "a.png").tolist() == scaled(TWELVE_BITS, 65535)


def test_bytes_in_the_other_order_are_read_and_the_picture_is_turned(tmp_path: Path) -> None:
    write_big_endian_tiff(tmp_path / "a.tif", TWELVE_BITS)
    assert read_image(tmp_path / "a.tif").tolist() == scaled(np.rot90(TWELVE_BITS, -1), 4095)


def test_grey_with_alpha(tmp_path: Path) -> None:
    write_grey_and_alpha(tmp_path / "a.png", TWELVE_BITS[..., 0])
    assert read_image(tmp_path / "a.png")[..., 1].tolist() == scaled(TWELVE_BITS[..., 0], 4095)


def test_every_page_of_a_stack_in_colour(tmp_path: Path) -> None:
    cv2.imwritemulti(str(tmp_path / "stack.tif"), [TWELVE_BITS[..., ::-1], TWELVE_BITS[::-1, :, ::-1]])
    with PageReader(tmp_path / "stack.tif") as reader:
        found = [frame.image.tolist() for frame in reader.frames()]
    assert found == [scaled(TWELVE_BITS, 4095), scaled(TWELVE_BITS[::-1], 4095)]


@pytest.mark.parametrize("name", ["rgb.png", "lzw.tif", "plain.tif"])
def test_a_file_that_ends_early_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path, TWELVE_BITS)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=rf"{name}: not a readable image"):
        read_image(path)
