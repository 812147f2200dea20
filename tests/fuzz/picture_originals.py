"""A small right picture, video and image cache of every format."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import cv2
import h5py
import numpy as np
import PIL.Image

from kpdetect.data.folder import build_cache
from kpdetect.images.image_files import write_image

HEIGHT, WIDTH = 12, 17


def picture(index: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 255, (height, width, 3), dtype=np.uint8)


def make_images(folder: Path) -> None:
    for ending in ("png", "jpg", "webp", "bmp", "tif", "gif", "ppm", "avif"):
        pages = {"save_all": True, "append_images": [PIL.Image.fromarray(picture(1))]} if ending in ("tif", "gif") else {}
        try:
            PIL.Image.fromarray(picture()).save(folder / f"picture.{ending}", **pages)
        except (OSError, KeyError, ValueError):
            continue  # this Pillow cannot write it
    PIL.Image.fromarray(picture()).convert("P").save(folder / "palette.png")
    PIL.Image.fromarray(picture()[..., 0].astype(np.uint16) * 200).save(folder / "deep.png")
    deep = picture().astype(np.uint16) * 200
    for name in ("deep-colour.png", "deep-colour.tif"):
        cv2.imwrite(str(folder / name), deep)
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.from_pillow(PIL.Image.fromarray(picture(0, 48, 64))).save(folder / "picture.heic")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(picture()).save(folder / "turned.jpg", exif=exif)


def make_videos(folder: Path) -> None:
    for name, code in (("v.mp4", "mp4v"), ("v.avi", "MJPG")):
        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter.fourcc(*code), 25, (32, 24))
        for index in range(6):
            writer.write(picture(index, 24, 32))
        writer.release()


def make_cache(folder: Path) -> None:
    for index in range(16):
        write_image(folder / "in" / f"{index:02d}.png", picture(index, 16, 16))
    build_cache(folder / "in", folder / "out", 16, "centre", set())  # type: ignore[arg-type]
    with h5py.File(folder / "out" / "images.h5") as file:
        assert len(file["images"]) == 16


MAKERS = {"images": make_images, "videos": make_videos, "cache": make_cache}
