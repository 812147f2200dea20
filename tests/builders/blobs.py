"""Small folders of images, and damaged files in them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np


def write_blobs(folder: Path) -> Path:
    """The images of `blob_folder`."""
    folder.mkdir()
    source = np.random.default_rng(5)
    for number in range(24):
        image = np.tile(np.linspace(0, 80, 40, dtype=np.uint8)[None, :, None], (36, 1, 3))
        centre = (int(source.integers(10, 30)), int(source.integers(10, 26)))
        cv2.circle(image, centre, 6, (200, 220, 90), -1)
        cv2.imwrite(str(folder / f"{number:03d}.png"), image)
    return folder


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(path):
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")))


def damage(folder):
    """One file of every bad kind; returns what its message says."""
    huge_png(folder / "huge.png")
    (folder / "text.jpg").write_text("no picture")
    (folder / "zero.jpg").write_bytes(b"")
    whole = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (60, 50, 3), np.uint8))[1].tobytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    return {
        "huge.png": "but the limit is",
        "text.jpg": "not a readable image",
        "zero.jpg": "not a readable",
        "cut.jpg": "truncated",
    }
