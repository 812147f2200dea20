"""Small synthetic copies of data sets in their official formats: names, folders and files as they are downloaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.datasets.human36m import ACTIONS, FITTED, TESTED
from benchmarks.protocol.bodies import DEEPFASHION, HUMAN36M
from kpdetect.images.image_files import write_image

HEADER = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
FACE = np.array([[30, 40], [60, 42], [44, 60], [33, 75], [58, 76]])
"""A face in whole pixels, eyes 30 apart."""


def write_text(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def picture(path: Path, size: tuple[int, int], points_px: np.ndarray | None = None) -> None:
    """An image of `size` (height, width): noise, with a bright spot at every point."""
    image = np.random.default_rng(sum(map(ord, path.name))).integers(0, 120, (*size, 3)).astype(np.uint8)
    for x, y in [] if points_px is None else np.nan_to_num(points_px, nan=-9).round().astype(int):
        image[max(0, y - 2) : max(0, y + 3), max(0, x - 2) : max(0, x + 3)] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, image)


def write_celeba_wild(
    folder: Path, count: int = 8, scale: float = 1.0, list_sizes: bool = False, stretch: tuple[int, int] | None = None
) -> Path:
    """Images 100 to 102 wide and 120 to 124 high in turn; every fourth face is small. The last quarter is the test list."""
    names = [f"{number:06d}.jpg" for number in range(1, count + 1)]
    points = [FACE + [number, number % 5] for number in range(count)]
    official = [(120 + 2 * (number % 3), 100 + number % 3) for number in range(count)]
    for name, (height, width), face in zip(names, official, points, strict=True):
        size = stretch or (round(height * scale), round(width * scale))
        ratio = np.array([size[1] / width, size[0] / height])
        picture(folder / "img_celeba" / name, size, (face + 0.5) * ratio - 0.5)
    boxes = [(10, 12, 50, 78) if number % 4 else (10, 12, 40, 50) for number in range(count)]
    rows = zip(names, points, strict=True)
    lines = [f"{name} " + " ".join(str(value) for value in face.ravel()) for name, face in rows]
    write_text(folder / "list_landmarks_celeba.txt", [str(count), HEADER, *lines])
    lines = [f"{name}    {a} {b} {c} {d}" for name, (a, b, c, d) in zip(names, boxes, strict=True)]
    write_text(folder / "list_bbox_celeba.txt", [str(count), "image_id x_1 y_1 width height", *lines])
    write_text(folder / "list_eval_partition.txt", [f"{name} {number % 3}" for number, name in enumerate(names)])
    write_text(folder / "MAFL" / "training.txt", names[: count - count // 4])
    write_text(folder / "MAFL" / "testing.txt", names[count - count // 4 :])
    if list_sizes:
        sizes = [f"{name} {height} {width}" for name, (height, width) in zip(names, official, strict=True)]
        write_text(folder / "list_imsize_celeba.txt", sizes)
    return folder


def write_mtfl(folder: Path, fit: int = 6, test: int = 3) -> Path:
    """LFW faces 90 wide and 110 high, AFLW faces 150x140; the file counts from 1."""
    for name, count, inside, size in (
        ("training.txt", fit, "lfw_5590\\", (110, 90)),
        ("testing.txt", test, "AFLW/", (140, 150)),
    ):
        lines = []
        for number in range(count):
            points = FACE + [number, 2 * number] + 0.25
            image = f"{inside}{number:04d}-image.jpg"
            picture(folder / image.replace("\\", "/"), size, points)
            values = " ".join(f"{value:.6f}" for value in (points + 1).T.ravel())
            lines.append(f" {image} {values} 1 2 2 3")
        write_text(folder / name, lines)
    return folder


def ibug_points(number: int) -> np.ndarray:
    """68 points whose outer eye corners, 37 and 46, are 40 apart."""
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([60 + 30 * np.cos(turn), 70 + 20 * np.sin(turn)], axis=1)
    points[36], points[45] = (40, 60), (80, 60)
    return points + [number % 7, number % 3]


def write_300w(folder: Path, count: int = 3) -> Path:
    """`count` images 130 wide and 150 high per folder; the files count from 1."""
    parts = ("afw", "helen/trainset", "helen/testset", "lfpw/trainset", "lfpw/testset", "ibug")
    for place, part in enumerate(parts):
        for number in range(count):
            points = ibug_points(count * place + number)
            suffix = ".png" if part.startswith("lfpw") else ".jpg"
            picture(folder / part / f"image_{number:04d}{suffix}", (150, 130), points)
            lines = [f"{x:.6f} {y:.6f}" for x, y in points + 1]
            write_text(folder / part / f"image_{number:04d}.pts", ["version: 1", "n_points:  68", "{", *lines, "}"])
    return folder


def write_cub(folder: Path, species: int = 4, each: int = 4) -> Path:
    """Birds 120 wide and 90 high; part 15 of every second one is hidden. Odd images are for training."""
    root = folder / "CUB_200_2011"
    paths, splits, boxes, locations = [], [], [], []
    for number in range(1, species * each + 1):
        kind = (number - 1) // each + 1
        points = np.stack([30.0 + 3 * np.arange(15) + number % 4, 20.0 + 2 * ((np.arange(15) * 7) % 11)], axis=1)
        path = f"{kind:03d}.Species_{kind}/Species_{kind}_{number:04d}.jpg"
        picture(root / "images" / path, (90, 120), points)
        paths.append(f"{number} {path}")
        splits.append(f"{number} {number % 2}")
        boxes.append(f"{number} 25.0 15.0 60.0 40.0")
        for part, (x, y) in enumerate(points, start=1):
            hidden = part == 15 and number % 4 < 2
            locations.append(f"{number} {part} 0.0 0.0 0" if hidden else f"{number} {part} {x} {y} 1")
    write_text(root / "images.txt", paths)
    write_text(root / "train_test_split.txt", splits)
    write_text(root / "bounding_boxes.txt", boxes)
    write_text(root / "parts" / "part_locs.txt", locations)
    return root


def write_cub_aligned(folder: Path, fit: int = 6, test: int = 3) -> Path:
    """Birds 60 wide and 50 high, points as shares; the last part of image 1 is hidden."""
    for part, count in (("train", fit), ("test", test)):
        shares = np.ones((count, 15, 3))
        shares[..., 0] = 0.1 + 0.05 * np.arange(15) + 0.01 * np.arange(count)[:, None]
        shares[..., 1] = 0.2 + 0.04 * ((np.arange(15) * 4) % 15)
        shares[1, 14] = 0
        for number in range(count):
            picture(folder / "images" / part / f"{number:05d}.png", (50, 60), shares[number, :, :2] * [60, 50])
        rows = [f"{number},images/{part}/{number:05d}.png,004.Ani/{number}.jpg,4" for number in range(count)]
        write_text(folder / f"{part}.csv", ["idx,fname,fname_original,category", *rows])
        np.save(folder / f"{part}_kp.npy", shares)
    return folder


def write_taichi(folder: Path, fit: int = 6, test: int = 3, size: tuple[int, int] = (256, 256)) -> Path:
    """18 points; point 3 is missing in the second frame."""
    import pandas as pd

    (folder / "landmark").mkdir(parents=True, exist_ok=True)
    for part, count in (("train", fit), ("test", test)):
        names, values = [f"frame_{number}.png" for number in range(count)], []
        for number, name in enumerate(names):
            points = np.stack([40 + 10 * np.arange(18) + number, 200 - 7 * np.arange(18)], axis=1)
            if number == 1:
                points[3] = -1
            picture(folder / "eval_images" / "taichi-256" / part / name, size, points * np.array(size[::-1]) / 256)
            values.append(points)
        table = pd.DataFrame({"file_name": names, "value": values}, dtype=object)
        table.columns = table.columns.astype(object)  # as pandas wrote them when the tables were published, without pyarrow
        table.to_pickle(folder / "landmark" / f"taichi_{part}_gt.pkl")
    return folder


def write_human36m(folder: Path, frames: int = 2) -> Path:
    """Frames 64 wide and 48 high of two actions; every second frame is named from the other side."""
    from scipy.io import savemat

    order = HUMAN36M.exchanged
    for subject in (*FITTED, *TESTED):
        for action in (ACTIONS[0], f"{ACTIONS[3]} 1", "Eating"):
            for number in range(frames):
                joint = np.arange(32)
                points = np.stack([0.2 + 0.015 * joint + 0.01 * number, 0.1 + 0.025 * ((joint * 5) % 32)], axis=1)
                inside = folder / f"S{subject}"
                picture(inside / "WithBackground" / action / f"{number:06d}.jpg", (48, 64), points * [64, 48])
                named = points[order] if number % 2 else points
                path = inside / "Landmarks" / action / f"{number:06d}.mat"
                path.parent.mkdir(parents=True, exist_ok=True)
                savemat(path, {"keypoints_2d": named[:, ::-1]})
    return folder


def write_bbc_pose(folder: Path, frames: int = 4) -> Path:
    """Videos 1 and 2 for training, 3 for validation, 4 to test, 5 of the extended set; frames 400 wide and 320 high."""
    from scipy.io import savemat

    kinds = [("train", "buehler11"), ("train", "buehler11"), ("val", "buehler11"), ("test", "buehler11"), ("train", "other")]
    names = ("videoName", "type", "source", "train_frames", "train_joints", "test_frames", "test_joints")
    videos = np.zeros((1, len(kinds)), dtype=[(name, object) for name in names])
    for video, (kind, source) in enumerate(kinds, start=1):
        numbers = np.arange(1, frames + 1) * 10
        joints = np.stack([bbc_joints(video, number) for number in numbers], axis=2) + 1.0
        for number in numbers:
            picture(folder / str(video) / f"{number}.jpg", (320, 400), bbc_joints(video, number).T)
        empty = np.zeros((0, 0))
        tested = (numbers[None].astype(float), joints) if kind == "test" else (empty, empty)
        videos[0, video - 1] = (f"v{video}", kind, source, numbers[None].astype(float), joints, *tested)
    (folder / "code").mkdir(parents=True, exist_ok=True)
    savemat(folder / "code" / "bbcpose.mat", {"bbcpose": videos})
    return folder


def bbc_joints(video: int, number: int) -> np.ndarray:
    """[2, 7] joints of a frame, in pixels from 0."""
    x = np.array([150.0, 120, 180, 110, 190, 125, 175]) + video + number % 3
    return np.stack([x, np.array([40.0, 160, 170, 120, 118, 80, 82]) + number % 7])


def write_deepfashion(folder: Path, fit: int = 6, test: int = 3, size: tuple[int, int] = (256, 256)) -> Path:
    """17 joints in pixels of 256x256."""
    order = {str(number): name for number, name in enumerate(DEEPFASHION.landmarks)}
    for part, count in (("data_train", fit), ("data_test", test)):
        rows, entries = ["id,filename"], []
        for number in range(count):
            name = f"WOMEN/Dresses/id_{part}/{number:02d}_1_front.jpg"
            points = np.stack([80.25 + 5 * np.arange(17) + number, 20.0 + 13 * np.arange(17)], axis=1)
            picture(folder / "images" / name, size, points * np.array(size[::-1]) / 256)
            rows.append(f"{100 + number},{name}")
            entries.append(
                {"image_path": name, "train": part == "data_train", "keypoints": points.tolist(), "joint_order": order}
            )
        write_text(folder / f"{part}.csv", rows)
        (folder / f"{part}.json").write_text(json.dumps(entries, indent=4))
    return folder


def replace(path: Path, old: str, new: str) -> None:
    """Damage a text file in one place."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
