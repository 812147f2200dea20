"""Tables with one line per image: `image, NAME_x, NAME_y, ...` in pixels of the image file, empty for a hidden point.

If a column `NAME_visible` holds 0, the point is hidden although it has coordinates. Other columns are kept as text. The table
is read line by line, so that messages can name the line.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import FormatError, InputError

MARGIN = 0.5
"""Points may lie outside of their image by this share of its side, for example if the border cuts off an animal."""
VISIBLE = "_visible"
"""Ending of the columns that hide points."""
TRUTHS = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, kw_only=True)
class AnnotationTable:
    """Annotations of images, from a file of any format.

    Attributes:
        path: the file, for messages.
        images: names of the images as in the file, POSIX paths.
        landmarks: names of the points.
        points_px: float64 [images, landmarks, 2]; NaN where hidden.
        lines: line of each image in the file, for messages.
        extra: other columns by name, a text per image.
        places: where each image's annotation is, for messages; None if all annotations are lines of one file.
        sizes: (height, width) [images, 2] that the file states, 0 for an image without a stated size; None if the file states
            no sizes.
    """

    path: Path
    images: list[str]
    landmarks: tuple[str, ...]
    points_px: NDArray[np.float64]
    lines: list[int]
    extra: dict[str, list[str]] = field(default_factory=dict)
    places: list[str] | None = None
    sizes: NDArray[np.int64] | None = None

    def rows(self, chosen: NDArray[np.integer]) -> AnnotationTable:
        """Return the table of the images at some positions."""
        return AnnotationTable(
            path=self.path,
            images=[self.images[row] for row in chosen],
            landmarks=self.landmarks,
            points_px=self.points_px[chosen],
            lines=[self.lines[row] for row in chosen] if self.places is None else [],
            extra={name: [texts[row] for row in chosen] for name, texts in self.extra.items()},
            places=None if self.places is None else [self.places[row] for row in chosen],
            sizes=None if self.sizes is None else self.sizes[chosen],
        )

    def where(self, row: int) -> str:
        """Return the file and line of an image, as the beginning of a message."""
        return f"{self.path}, line {self.lines[row]}" if self.places is None else self.places[row]

    def __post_init__(self) -> None:
        """Check that the table can be used for a measurement.

        Raises:
            FormatError: an image occurs twice, there are no images or no landmarks, or a coordinate is infinite.
        """
        seen: dict[str, int] = {}
        for row, name in enumerate(self.images):
            if name in seen:
                first = f"on line {self.lines[seen[name]]}" if self.places is None else f"at {self.places[seen[name]]}"
                raise FormatError(f"{self.where(row)}: {name} is already {first}; remove one")
            seen[name] = row
        if not self.images or not self.landmarks:
            raise FormatError(f"{self.path}: {len(self.images)} images, {len(self.landmarks)} landmarks; expected more than 0")
        bad = np.isinf(self.points_px).any(axis=(1, 2))
        if bad.any():
            raise FormatError(f"{self.where(int(np.argmax(bad)))}: an infinite coordinate; expected pixels")

    def chosen(self, landmarks: Sequence[str]) -> NDArray[np.float64]:
        """Return the points [images, landmarks, 2] of some landmarks, in the order of `landmarks`.

        Raises:
            FormatError: the table lacks a landmark.
        """
        absent = [name for name in landmarks if name not in self.landmarks]
        if absent:
            raise FormatError(
                f"{self.path}, line 1: no columns {absent[0]}_x and {absent[0]}_y; there are {', '.join(self.landmarks)}"
            )
        return self.points_px[:, [self.landmarks.index(name) for name in landmarks]]

    def require_inside(self, sizes: NDArray[np.integer], rows: NDArray[np.integer] | None = None) -> None:
        """Check that points lie inside of their images, or at most `MARGIN` outside.

        Args:
            sizes: (height, width) [rows, 2] of the image files.
            rows: positions of the images to check; by default all.

        Raises:
            FormatError: a point lies far outside of its image.
        """
        used = np.arange(len(self.images)) if rows is None else rows
        extents = np.asarray(sizes, np.float64)[:, None, ::-1]
        with np.errstate(invalid="ignore"):
            outside = ((self.points_px[used] < -MARGIN * extents) | (self.points_px[used] > (1 + MARGIN) * extents)).any(
                axis=-1
            )
        if not outside.any():
            return
        row, landmark = np.argwhere(outside)[0]
        x, y = self.points_px[used[row], landmark]
        width, height = extents[row, 0]
        fault = f"{self.landmarks[landmark]} at x {x:g}, y {y:g}, but the image is {width:g}x{height:g} pixels (width x height)"
        raise FormatError(f"{self.where(int(used[row]))}: {fault}; are columns swapped, or the image resized?")

    def require_sizes(self, sizes: NDArray[np.integer], turned: Callable[[int], bool], rows: NDArray[np.integer]) -> None:
        """Check the image sizes that the file states against the sizes of the pictures as displayed.

        Args:
            sizes: (height, width) [rows, 2] of the pictures.
            turned: function that returns whether EXIF rotates the picture of an image by a quarter turn.
            rows: positions of the images to check.

        Raises:
            FormatError: the sizes differ, so that the coordinates do not fit the picture.
        """
        if self.sizes is None:
            return
        stated = self.sizes[rows]
        wrong = (stated > 0).all(axis=1) & (stated != sizes).any(axis=1)
        if not wrong.any():
            return
        number = int(np.argmax(wrong))
        row, (height, width), (real_height, real_width) = int(rows[number]), stated[number], sizes[number]
        fault = (
            f"the annotations state {width}x{height} pixels for {self.images[row]}, but the image has "
            f"{real_width}x{real_height} (width x height)"
        )
        advice = "was the image resized, or is it another image?"
        if turned(row) and (height, width) == (real_width, real_height):
            advice = "its EXIF data rotates the image: annotate it as it is displayed, or store it upright"
        raise FormatError(f"{self.where(row)}: {fault}; {advice}")

    def require_shown(self, rows: NDArray[np.integer]) -> None:
        """Check that each of the images `rows` has a visible point.

        Raises:
            FormatError: an image has no visible point.
        """
        empty = np.isnan(self.points_px[rows]).all(axis=(1, 2))
        if empty.any():
            row = int(rows[int(np.argmax(empty))])
            raise FormatError(f"{self.where(row)}: {self.images[row]} shows no keypoint; leave the image out")

    def require_level(self, first: str, second: str) -> None:
        """Check that two points, such as eyes, lie side by side in most images. With swapped columns they would not.

        Raises:
            FormatError: in most images, one of the points lies above the other.
        """
        gap = np.abs(self.points_px[:, self.landmarks.index(first)] - self.points_px[:, self.landmarks.index(second)])
        steep = gap[:, 1] > gap[:, 0]
        if steep.mean() > 0.5:
            share, row = f"in {steep.mean():.0%} of the images", int(np.argmax(steep))
            fault = f"{first} and {second} are further apart in y than in x here and {share}"
            raise FormatError(f"{self.where(row)}: {fault}; are columns swapped?")


def read_wide(path: Path) -> AnnotationTable:
    """Read a table with one line per image.

    Raises:
        InputError: the file does not exist.
        FormatError: of the columns `NAME_x` and `NAME_y` one is missing, a line has too many or too few values, or a value is
            not a number. The message names the line.
    """
    rows = read_rows(path)
    number, header = next(rows, (1, []))
    if "image" not in header:
        raise FormatError(f"{path}, line {number}: no column 'image'; expected image, NAME_x, NAME_y, ...")
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise FormatError(f"{path}, line {number}: column {twice} occurs twice; rename one")
    landmarks = tuple(name[:-2] for name in header if name.endswith("_x"))
    lonely = [name for name in header if name.endswith("_y") and name[:-2] not in landmarks]
    lonely += [f"{name}_x" for name in landmarks if f"{name}_y" not in header]
    if lonely:
        raise FormatError(f"{path}, line {number}: column {lonely[0]} has no partner; expected NAME_x and NAME_y")
    unknown = [name for name in header if name.endswith(VISIBLE) and name.removesuffix(VISIBLE) not in landmarks]
    if unknown:
        known = ", ".join(landmarks)
        raise FormatError(f"{path}, line {number}: column {unknown[0]} belongs to no landmark; the landmarks are {known}")
    named = {name: place for place, name in enumerate(header)}
    points = [f"{name}_{axis}" for name in landmarks for axis in "xy"]
    others = [name for name in header if name != "image" and name not in points]
    images, values, lines = [], [], []
    extra: dict[str, list[str]] = {name: [] for name in others}
    for number, row in rows:
        if len(row) != len(header):
            raise FormatError(f"{path}, line {number}: {len(row)} values for {len(header)} columns; complete the line")
        images.append(row[named["image"]])
        values.append([_number(row[named[name]], f"{path}, line {number}, {name}") for name in points])
        lines.append(number)
        for name in others:
            extra[name].append(row[named[name]])
    table = np.array(values, np.float64).reshape(len(images), len(landmarks), 2)
    for place, name in enumerate(landmarks):
        hidden = _hidden(extra.get(name + VISIBLE), lines, f"{path}, column {name}{VISIBLE}")
        table[hidden, place] = np.nan
    _require_pairs(table, path, lines)
    return AnnotationTable(path=path, images=images, landmarks=landmarks, points_px=table, lines=lines, extra=extra)


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each line of a comma-separated file, except empty lines.

    Raises:
        InputError: the file does not exist.
        FormatError: the file is not UTF-8, or not comma-separated.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if row:
                    yield reader.line_num, [cell.strip() for cell in row]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the file of the annotations") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path}: not a comma-separated table in UTF-8 ({error}); save it as CSV") from error


def read_names(path: Path, column: str, columns: str) -> tuple[list[str], list[int]]:
    """Read one column of a table of images, and the numbers of its lines.

    Args:
        path: comma-separated file with a header.
        column: name of the column.
        columns: all columns of such a table, for the error.

    Raises:
        InputError: the file does not exist.
        FormatError: the table has no such column, or a line is incomplete.
    """
    rows = read_rows(path)
    number, header = next(rows, (1, []))
    if column not in header:
        raise FormatError(f"{path}, line {number}: no column {column}; expected {columns}")
    names, lines = [], []
    for number, row in rows:
        if len(row) != len(header):
            raise FormatError(f"{path}, line {number}: {len(row)} values for {len(header)} columns; complete the line")
        names.append(row[header.index(column)])
        lines.append(number)
    return names, lines


def _number(text: str, where: str) -> float:
    if not text:
        return np.nan
    try:
        value = float(text)
    except ValueError as error:
        raise FormatError(f"{where}: '{text}' is not a number; expected pixels, or nothing for a hidden point") from error
    if np.isnan(value):
        raise FormatError(f"{where}: not a number; expected pixels, or nothing for a hidden point")
    return value


def _hidden(texts: list[str] | None, lines: Sequence[int], where: str) -> NDArray[np.bool_]:
    if texts is None:
        return np.zeros(len(lines), np.bool_)
    for text, line in zip(texts, lines, strict=True):
        if text.lower() not in TRUTHS:
            raise FormatError(f"{where}, line {line}: '{text}'; expected 1 (visible) or 0")
    return np.array([not TRUTHS[text.lower()] for text in texts], np.bool_)


def _require_pairs(points: NDArray[np.float64], path: Path, lines: Sequence[int]) -> None:
    halves = (np.isnan(points[..., 0]) != np.isnan(points[..., 1])).any(axis=1)
    if halves.any():
        raise FormatError(f"{path}, line {lines[int(np.argmax(halves))]}: a point has only one of x and y; give both or none")
