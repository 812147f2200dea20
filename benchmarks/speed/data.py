"""Speed of turning folders of images into training data: `python -m benchmarks.speed data`.

A folder has N names, which are hard links to a few small JPEG files. The measured steps are: list the folder, pack it into a
cache, open the cache again, and, after the files' times have changed, recognise the folder by its contents. Each folder is
measured in a separate process, whose peak memory is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.generator import speed_markdown
from benchmarks.speed.timing import Report
from kpdetect.data.folder import build_cache
from kpdetect.images.image_files import list_names, write_image

PICTURES = 500
"""Number of different pictures that the names link to."""
IN_A_FOLDER = 10_000
"""Number of names in one folder."""
PHASES = {
    "listed": "listing",
    "packed": "decoding into the cache",
    "opened": "opening it again",
    "recognised": "recognising it by contents",
}
"""The measured phases and their columns in the table."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this part to its parser."""
    parser.add_argument("--files", nargs="+", type=int, default=[50_000, 200_000], help="sizes of the folders")
    parser.add_argument("--picture", type=int, default=96, help="side of the pictures in pixels")
    parser.add_argument("--side", type=int, default=16, help="side of the packed pictures in pixels")
    parser.add_argument(
        "--within", type=Path, help="parent of the test folders, which are removed afterwards; by default a temporary folder"
    )


def run(options: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Report files per second and peak memory, and return them JSON-ready."""
    rows, folders = [], []
    for count in options.files:
        with tempfile.TemporaryDirectory(dir=options.within) as folder:
            link_pictures(Path(folder), count, options.picture)
            measured = measured_apart(Path(folder), options.side)
        folders.append({"files": count, **measured})
        rates = {column: f"{count / measured[phase]:,.0f}" for phase, column in PHASES.items()}
        rows.append({"files": f"{count:,}", **rates, "peak memory, MiB": f"{measured['peak_mib']:.0f}"})
        report(f"{count:,} files: {measured}")
    report("\nFiles per second:\n\n" + speed_markdown(rows))
    return {"folders": folders}


def link_pictures(folder: Path, count: int, side: int) -> None:
    """Fill `folder`/images with `count` hard links to `PICTURES` different pictures of `side` pixels."""
    source = np.random.default_rng(0)
    for number in range(PICTURES):
        smooth = source.integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(-(-side // 4), axis=0).repeat(-(-side // 4), axis=1)
        write_image(folder / "pictures" / f"{number}.jpg", smooth[:side, :side])
    for number in range(count):
        part = folder / "images" / f"{number // IN_A_FOLDER:03d}"
        if number % IN_A_FOLDER == 0:
            part.mkdir(parents=True)
        os.link(folder / "pictures" / f"{number % PICTURES}.jpg", part / f"{number:07d}.jpg")


def measured_apart(folder: Path, side: int) -> dict[str, float]:
    """Call `measured` in a separate process, and add the peak memory of the process in MiB."""
    code = (
        "import json, resource, sys; from pathlib import Path; from benchmarks.speed.data import measured\n"
        f"found = measured(Path(sys.argv[1]), {side})\n"
        "print(json.dumps([found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    found, peak = json.loads(done.stdout.splitlines()[-1])
    return {**found, "peak_mib": peak / (2**20 if sys.platform == "darwin" else 2**10)}


def measured(folder: Path, side: int) -> dict[str, float]:
    """Measure the seconds of each of `PHASES` for `folder`/images."""
    images, out = folder / "images", folder / "run"

    def cached() -> object:
        return build_cache(images, out, side, "centre", set())

    found = {"listed": _seconds(lambda: list_names(images)), "packed": _seconds(cached), "opened": _seconds(cached)}
    for path in (folder / "pictures").iterdir():
        os.utime(path, (1, 1))
    return {**found, "recognised": _seconds(cached)}


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
