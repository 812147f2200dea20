"""An ablation table of the paper on any images: train each unfinished cell in a separate process, then write the table.

A repeated command skips finished cells, continues interrupted cells and tries failed cells again.
Tables 7, 8 and 9 share their cells.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from benchmarks.ablations.ablation_table import write_ablation
from benchmarks.ablations.cell import ATTENDED, check_cell, describe_cell
from benchmarks.ablations.config import CONFIG, EXEMPT, LOG, MEASURED, AblationConfig, cell_folder
from benchmarks.ablations.tables import AblationTable, Cell, build_table
from benchmarks.benchmarking.inputs import BenchmarkInputs
from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.metrics.extractors import build_extractor
from kpdetect.errors import InputError, OutputError, TrainingError
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.messages import log
from kpdetect.training.interrupts import StopRequest
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import available_cores, resolve_runtime

PAUSE = 0.2
Report = Callable[[str], object]


def run_ablation(
    name: str, out: Path, config: AblationConfig, *, cells: Sequence[str] = (), jobs: int = 1, report: Report = log.info
) -> Path:
    """Train and measure the unfinished cells of a table, write the table, and return its path.

    Args:
        name: table2, table3, table6, table7, table8 or table9.
        out: folder of the ablations.
        config: the settings of all cells; in a folder of an earlier call they must equal the settings of that call.
        cells: patterns of cell names, such as `k06-*`; by default all cells.
        jobs: cells trained at the same time.
        report: function that gets a line when a cell begins or ends, and the table at the end.

    Raises:
        InputError: a table, protocol or cell is unknown, images or data are unusable, or the images include test images.
        FormatError: the annotations are damaged.
        OutputError: `out` holds other files.
        ConfigError: settings do not fit each other, or `out` holds a table with other settings.
        TrainingError: some cells have failed; the table holds the finished cells.
        KeyboardInterrupt: the user stopped the command; the running cells have saved their work.
    """
    table = build_table(name, config)
    chosen = choose_cells(table, cells)
    for cell in chosen:
        check_cell(config, cell)
    check_data(config)
    build_extractor(config.features, resolve_runtime(config.device).device)  # fail before the training
    require_own(out)
    RunFolder(out, config, exempt=EXEMPT)
    failed: dict[str, str] = {}
    missing = [cell for cell in chosen if not (cell_folder(out, cell.name) / MEASURED).exists()]

    def finished(cell: Cell, code: int) -> None:
        output = cell_folder(out, cell.name) / LOG
        if code == 0:
            report(f"{cell.name}: done")
        else:
            failed[cell.name] = last_line(output) if code > 0 else f"ended by signal {-code}"
            report(f"{cell.name}: failed: {failed[cell.name]} (see {output})")
        write_ablation(table, out, config, failed)

    run_processes(missing, jobs, lambda cell: start_cell(out, cell, jobs, report), finished)
    path = write_ablation(table, out, config, failed)
    report(path.read_text(encoding="utf-8"))
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(chosen)} cells failed ({', '.join(failed)}); the others are in {path}; "
            f"see the cells' {LOG}, and run the same command again to try them once more"
        )
    return path


def choose_cells(table: AblationTable, patterns: Sequence[str]) -> list[Cell]:
    """Choose the cells whose names match one of the patterns, in the table's order; without patterns, all.

    Raises:
        InputError: a pattern matches no cell.
    """
    for pattern in patterns:
        if not any(fnmatch(cell.name, pattern) for cell in table.cells):
            raise InputError(f"`cells={pattern}`: no such cell; expected one of {', '.join(cell.name for cell in table.cells)}")
    return [cell for cell in table.cells if not patterns or any(fnmatch(cell.name, pattern) for pattern in patterns)]


def check_data(config: AblationConfig) -> None:
    """Check, before any training, that errors can be measured on the images and annotations.

    Raises:
        InputError: images or data are unusable, or the images include test images.
        FormatError: the annotations are damaged.
    """
    names = config.image_names()
    if not config.data:
        return
    landmark_set = BenchmarkInputs(protocol=config.protocol, data=Path(config.data)).read()[1]
    seen = seen_test_images([Path(config.images, name) for name in names], landmark_set) if config.test else []
    if seen:
        raise InputError(
            f"`test`: {len(seen):,} of the test images are among {config.images}, the first is {seen[0]}; "
            "leave them out with `exclude_list`"
        )


def seen_test_images(paths: Sequence[Path], landmark_set: LandmarkSet) -> list[str]:
    """List the test images among `paths`. Images are compared by name if names identify them, otherwise by content."""
    tested = [landmark_set.images[index] for index in landmark_set.test]
    if landmark_set.names_identify:
        stems = {path.stem for path in paths}
        return [name for name in tested if PurePosixPath(name).stem in stems]
    hashes = {file_hash(path) for path in paths}
    contents = landmark_set.content_hashes(landmark_set.test)
    return [name for name, content in zip(tested, contents, strict=True) if content in hashes]


def require_own(out: Path) -> None:
    """Check that a folder is new or a folder of ablations.

    Raises:
        OutputError: the folder holds other files.
    """
    config = out / CONFIG
    begun = config.is_file() and "minutes_each:" in config.read_text(encoding="utf-8", errors="replace")
    if out.is_dir() and any(out.iterdir()) and not begun:
        raise OutputError(f"{out}: not a folder of ablations; give a new folder, or one to continue, with `out`")


def run_processes(
    cells: Sequence[Cell],
    jobs: int,
    start: Callable[[Cell], subprocess.Popen[bytes]],
    finished: Callable[[Cell, int], None],
) -> None:
    """Run a process per cell, `jobs` at a time; pass a stop request on and wait for the running processes.

    Raises:
        KeyboardInterrupt: after a stop request.
    """
    waiting, running = list(cells), dict[Cell, subprocess.Popen[bytes]]()
    stopping = False
    with StopRequest() as stop:
        while running or (waiting and not stop.requested):
            while waiting and len(running) < jobs and not stop.requested:
                cell = waiting.pop(0)
                running[cell] = start(cell)
            if stop.requested and not stopping:
                stopping = True
                for process in running.values():
                    process.terminate()
            for cell, process in list(running.items()):
                code = process.poll()
                if code is not None:
                    del running[cell]
                    if process.stdin is not None:
                        process.stdin.close()
                    if not stop.requested or code == 0:
                        finished(cell, code)
            time.sleep(PAUSE)
    if stop.requested:
        raise KeyboardInterrupt


def start_cell(out: Path, cell: Cell, jobs: int, report: Report) -> subprocess.Popen[bytes]:
    """Start the process of a cell and append its output to its log."""
    folder = make_folder(cell_folder(out, cell.name))
    describe_cell(out, cell)
    report(f"{cell.name}: training, see {folder / LOG}")
    surroundings = dict(os.environ)
    if jobs > 1:
        surroundings["OMP_NUM_THREADS"] = str(max(1, available_cores() // jobs))
    command = [sys.executable, "-m", "benchmarks.ablations.cell", str(out), cell.name, ATTENDED]
    with open(folder / LOG, "ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.PIPE, env=surroundings)


def last_line(log: Path) -> str:
    """Return the last line of a log, which holds the error of a failed cell."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else "no reason was given"
