"""Many damaged files, each read in a process that may hang, crash or ask for too much memory."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.reporting.charts import curves
from kpdetect.errors import KpdetectError
from kpdetect.files.reading import shortened
from kpdetect.images.image_files import SUFFIXES
from tests.fuzz.mutations import damage
from tests.fuzz.readers import READERS

SECONDS = 10
"""Of processor time for one input, however busy the machine is."""
ANSWER = 60
"""Seconds after which a process that does not answer is ended."""
MEMORY = 2 << 30
"""Bytes that a reader may take beyond what the process has."""
SKIPPED = {"predictions/formats", "cache/in"}
"""Folders of which nothing is read back."""


class TooSlow(BaseException):
    """Not an `Exception`: nothing that reads a file catches it."""


@dataclass(frozen=True)
class Failure:
    """An input that did not end in one line."""

    number: int
    what: str
    report: str


def targets(originals: Path) -> list[tuple[str, Path]]:
    """Every file that is read back, with its kind; kinds take turns, so that many files of one do not crowd out others."""
    kinds = [
        [(kind, path.relative_to(originals)) for path in sorted((originals / kind).rglob("*")) if _is_read(path, originals)]
        for kind in READERS
    ]
    most = max(map(len, kinds))
    return [files[turn % len(files)] for turn in range(most) for files in kinds]


def _is_read(path: Path, originals: Path) -> bool:
    name = path.relative_to(originals)
    if not path.is_file() or any(str(name).startswith(skipped) for skipped in SKIPPED):
        return False
    return name.parts[0] != "datasets" or path.suffix not in SUFFIXES


def read_damaged(originals: Path, seed: int, number: int) -> str:
    """Damage one file and read it; returns its name and what came of it.

    Raises:
        Exception: anything that is no error of kpdetect.
    """
    choices = targets(originals)
    kind, name = choices[number % len(choices)]
    random = Random(f"{seed}/{number}")
    with tempfile.TemporaryDirectory(prefix="kpdetect-fuzz-") as scratch:
        shutil.copytree(originals / kind, Path(scratch) / kind)
        path = Path(scratch) / name
        for _ in range(5):
            try:
                damage(path, random)
                break
            except Exception:  # what this change makes cannot be written; try another
                shutil.copy(originals / name, path)
        return f"{name}: {_outcome(READERS[kind], path)}"


def read_whole(originals: Path) -> dict[str, str]:
    """What comes of the files as they are, by name."""
    found = {}
    for kind, name in dict.fromkeys(targets(originals)):
        with tempfile.TemporaryDirectory(prefix="kpdetect-fuzz-") as scratch:
            shutil.copytree(originals / kind, Path(scratch) / kind)
            found[str(name)] = _outcome(READERS[kind], Path(scratch) / name, whole=True)
    return found


def _outcome(reader: Callable[[Path], None], path: Path, whole: bool = False) -> str:
    signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        reader(path)
    except KpdetectError as error:
        if "more memory than there is" in str(error):
            raise
        if len(str(error).splitlines()) > 1:
            raise AssertionError(f"more than one line: {str(error)[:300]}") from error
        return f"refused ({shortened(str(error), 200)})" if whole else "refused"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "read"


def _too_slow(number: int, frame: object) -> None:
    raise TooSlow(f"longer than {SECONDS} s")


def campaign(originals: Path, seed: int, numbers: range, report: Callable[[Failure], None]) -> Counter[str]:
    """Read damaged files of these numbers; tells of every failure as it comes and counts the outcomes."""
    counts: Counter[str] = Counter()
    position = numbers.start
    while position < numbers.stop:
        for number, what, text in _worker(originals, seed, range(position, numbers.stop)):
            position = number + 1
            counts[what] += 1
            if what not in ("read", "refused"):
                report(Failure(number, what, text))
    return counts


def _worker(originals: Path, seed: int, numbers: range) -> Iterator[tuple[int, str, str]]:
    """Outcomes of a process of its own, up to its end; a crash is the outcome of the input at hand."""
    ours, its = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads; the child starts none
        process = os.fork()
    if process == 0:
        os.close(ours)
        _work(originals, seed, numbers, its)
    os.close(its)
    expected = numbers.start
    with os.fdopen(ours, "rb") as lines:
        timer = signal.signal(signal.SIGALRM, _too_slow)
        try:
            while expected < numbers.stop:
                signal.alarm(ANSWER)
                line = lines.readline()
                if not line:
                    break
                number, what, text = line.decode("utf-8", errors="replace").rstrip("\n").split("\t", 2)
                expected = int(number) + 1
                yield int(number), what, text.replace("\x1f", "\n")
        except TooSlow:
            os.kill(process, signal.SIGKILL)
            yield expected, "hang", "the process did not answer"
            expected = numbers.stop
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, timer)
    with suppress(ChildProcessError):
        status = os.waitpid(process, 0)[1]
        if expected < numbers.stop:
            yield expected, "crash", f"the process ended by {os.waitstatus_to_exitcode(status)}"


def _work(originals: Path, seed: int, numbers: range, out: int) -> None:
    curves([{"step": 1, "loss": 1.0}])  # imports matplotlib, which takes seconds
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        for number in numbers:
            what, text = _attempt(originals, seed, number)
            os.write(out, f"{number}\t{what}\t{text[-3000:]}\n".encode("utf-8", errors="replace"))
    finally:
        os._exit(0)


def _attempt(originals: Path, seed: int, number: int) -> tuple[str, str]:
    try:
        name, _, what = read_damaged(originals, seed, number).rpartition(": ")
        return what, name
    except KpdetectError as error:
        return "memory", " ".join(str(error).split())
    except BaseException as error:
        what = "hang" if isinstance(error, TooSlow) else "memory" if isinstance(error, MemoryError) else "traceback"
        return what, traceback.format_exc().replace("\t", " ").replace("\n", "\x1f")


def run(originals: Path, seed: int, inputs: int, seconds: float | None = None) -> tuple[Counter[str], list[Failure]]:
    """The campaign, in pieces, up to a number of inputs or for so long."""
    failures: list[Failure] = []
    counts: Counter[str] = Counter()
    began, step = time.monotonic(), 50
    for start in range(0, inputs, step):
        if seconds is not None and time.monotonic() - began > seconds:
            break
        counts += campaign(originals, seed, range(start, min(start + step, inputs)), failures.append)
        if seconds is None:
            print(f"\r{sum(counts.values()):,} of {inputs:,}, {len(failures)} failed", end="", file=sys.stderr, flush=True)
    return counts, failures
