"""Kill commands at random moments, repeat them until they end, and compare with uninterrupted ones.

    python -m tests.kill_campaign --kills 200 --seed 0

A process that has loaded the packages forks one child per call, so that a kill costs little more than the work it interrupts.
What differs, files that are left over, and commands that do not end well are listed; the exit code is 1 if there is any.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kpdetect.module_command import module_parser
from tests.builders.projects import SMALL
from tests.kill_compare import differences, snapshot, without_last_measurements

LIMIT = 180.0
"""Seconds after which a command counts as hanging."""
KILLS_PER_TRIAL = 3
RANKS = 2
FAST = ["toy", "crop", "coco", "webdataset", "predict", "pseudo-label", "pack"]
TRAINING = ["steps=5", "checkpoint_every=2", "log_every=1", "sample_every=3"]


@dataclass(frozen=True)
class Stage:
    """A command; `words` without the folder it writes into.

    Attributes:
        words: the command line.
        again: how often a trial interrupts it.
        hashes: whether equal calls write equal hashes. Weights say how many minutes they were trained: those of a later stage
            of `run` name other hashes each time.
        ranks: processes that torchrun starts; 0 without it. A signal goes to the launcher or to one of them.
    """

    words: list[str]
    again: int = KILLS_PER_TRIAL
    hashes: bool = True
    ranks: int = 0


def stages(base: Path) -> dict[str, Stage]:
    """All stages on what `prepare` has written into `base`."""
    images, pairs, model = str(base / "toy/images"), str(base / "pairs"), str(base / "project")
    settings, generator = _set(TRAINING), str(base / "generator")
    formats = "dlc-csv,coco,sleap,yolo,label-studio"
    return {
        "toy": Stage(["toy", "--count", "60", "--size", "64", "--seed", "3"]),
        "crop": Stage(["crop", images, "--box", "4,6,20,16"]),
        "coco": Stage(["convert", pairs, "--format", "coco"]),
        "webdataset": Stage(["convert", pairs, "--format", "webdataset"]),
        "predict": Stage(["predict", model, images, str(base / "film.avi"), "--format", formats, "--device", "cpu"]),
        "video": Stage(["predict", model, str(base / "film.avi"), "--smooth", "--device", "cpu"]),
        "calibrate": Stage(["calibrate", str(base / "middle"), str(base / "middle-pairs"), "--device", "cpu"]),
        "run": Stage(["run", images, "--size", "32", "-k", "4", "--device", "cpu", *_set(SMALL)], hashes=False),
        "pseudo-label": Stage(["pseudo-label", model, str(base / "found"), images, "--size", "32"]),
        "pack": Stage(["pack", model]),
        "benchmark": Stage(["benchmark", "toy", "--model", model, "--data", str(base / "toy")]),
        "train-detector": Stage(["train-detector", pairs, "--device", "cpu", *settings, "--set", "batch=4"]),
        "refine": Stage(["refine", model, images, "--pairs", pairs, "--device", "cpu", *settings, "--set", "batch=4"]),
        "train-generator": Stage(
            ["train-generator", images, "--size", "32", "-k", "3", "--device", "cpu", *settings, "--set", "optimiser.batch=4"]
        ),
        "generate": Stage(["generate", generator, "--count", "24", "--shard-size", "6", "--device", "cpu"]),
        "edit": Stage(["edit", generator, "--samples", "0-3", "--rotate", "20", "--device", "cpu"]),
        "embeddings": Stage(["embeddings", generator, "--count", "6", "--device", "cpu"]),
        "nearest": Stage(["nearest", generator, images, "--count", "20", "--device", "cpu"]),
        "torchrun-train-generator": Stage(
            ["train-generator", images, "--size", "32", "-k", "3", *settings, "--set", "optimiser.batch=4"],
            again=2,
            ranks=RANKS,
        ),
        "torchrun-generate": Stage(["generate", generator, "--count", "24", "--shard-size", "6"], again=2, ranks=RANKS),
    }


def _set(assignments: list[str]) -> list[str]:
    return [word for each in assignments for word in ("--set", each)]


def prepare(base: Path, chosen: list[str]) -> None:
    """Toy images, pairs, a video and models that were hardly trained."""
    if ended(forked(lambda: _write_inputs(base), base / "log"), LIMIT) != 0:
        raise RuntimeError((base / "log").read_text())
    known = stages(base)
    run(["toy", "--count", "30", "--size", "32", "--out", str(base / "toy")], base / "log")
    if "pseudo-label" in chosen:
        run(["predict", str(base / "project"), str(base / "toy/images"), "--out", str(base / "found")], base / "log")
    if any(str(base / "generator") in known[name].words for name in chosen):
        run([*known["train-generator"].words, "--out", str(base / "generator")], base / "log")


def _write_inputs(base: Path) -> None:
    from tests.builders.detectors import dots, write_middle, write_pairs
    from tests.builders.dots import write_video
    from tests.conftest import write_project

    write_pairs(base / "pairs", dots(40))
    write_video(base / "film.avi", 12)
    write_project(base / "project", 2)
    write_middle(base / "middle", base / "middle-pairs")


def forked(work: Callable[[], object], log: Path) -> int:
    """The process number of a child that does `work`; what it says goes to `log`."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        work()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(child: int, seconds: float) -> int | None:
    """Exit code of a child once it ends (negative: the signal), None if it does not within so many seconds."""
    until = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            return None
        time.sleep(0.005)


def command(words: list[str], ranks: int = 0) -> Callable[[], object]:
    """The command as a function; with `ranks`, torchrun takes the place of the process."""

    def work() -> None:
        if ranks:
            launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
            os.environ["OMP_NUM_THREADS"] = "1"
            os.execv(sys.executable, [*launcher, "-m", "kpdetect.cli.main", *words])
        from kpdetect.cli.main import main

        sys.argv = ["kpdetect", *words]
        main()

    return work


def run(words: list[str], log: Path, ranks: int = 0) -> float:
    """Run a command to its end; seconds it took.

    Raises:
        RuntimeError: it fails or hangs.
    """
    began = time.monotonic()
    child = forked(command(words, ranks), log)
    code = ended(child, LIMIT)
    if code is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if code != 0:
        raise RuntimeError(f"{' '.join(words)}: ended with {code}; {' / '.join(log.read_text().splitlines()[-3:])}")
    return time.monotonic() - began


def trial(stage: Stage, out: Path, seconds: float, noise: random.Random, log: Path) -> list[str]:
    """Interrupt a stage some times, then finish it; which signals it got."""
    sent = []
    for _ in range(stage.again):
        child = forked(command([*stage.words, "--out", str(out)], stage.ranks), log)
        code = ended(child, noise.uniform(0, seconds))
        if code is None:
            number = noise.choices([signal.SIGKILL, signal.SIGTERM, signal.SIGINT], [8, 1, 1])[0]
            ranks = workers_of(child) if stage.ranks else []
            with suppress(ProcessLookupError):
                os.kill(noise.choice([child, *ranks]), number)
            sent.append(number.name)
            if ended(child, LIMIT) is None or not all(gone(rank, LIMIT) for rank in ranks):
                for process in (child, *ranks):
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                raise RuntimeError(f"{' '.join(stage.words)}: does not end after {number.name}")
        elif code != 0:
            raise RuntimeError(f"{' '.join(stage.words)}: ended with {code}: {log.read_text()[-300:]}")
    run([*stage.words, "--out", str(out)], log, stage.ranks)
    return sent


def workers_of(launcher: int) -> list[int]:
    """Process numbers of the ranks that a launcher has started; none of a command without one."""
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()]
    return []


def gone(process: int, seconds: float) -> bool:
    """Whether a process that is not ours to wait for ends within so many seconds; nobody may have asked how it ended (Z)."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def campaign(chosen: list[str], kills: int, seed: int, base: Path, minutes: float) -> int:
    """Spread kills over stages; returns the number of faults, and prints them."""
    noise, faults, total, until = random.Random(seed), 0, 0, time.monotonic() + 60 * minutes
    prepare(base, chosen)
    known, whole, lengths = stages(base), {}, {}
    counts, wrongs = dict.fromkeys(chosen, 0), dict.fromkeys(chosen, 0)
    number = 0
    while total < kills and time.monotonic() < until:
        name = chosen[number % len(chosen)]
        number += 1
        log, out = base / f"{name}-{number}.log", base / f"{name}-{number}"
        try:
            if name not in whole:
                reference = base / f"{name}-whole"
                lengths[name] = run([*known[name].words, "--out", str(reference)], log, known[name].ranks)
                whole[name] = snapshot(reference, hashes=known[name].hashes)
            sent = trial(known[name], out, lengths[name], noise, log)
            total, counts[name] = total + len(sent), counts[name] + len(sent)
            left = snapshot(out, hashes=known[name].hashes)
            if set(sent) - {"SIGKILL"}:
                left = without_last_measurements(whole[name], left)
            wrong = differences(whole[name], left)
        except RuntimeError as error:
            wrong, sent = [str(error)], ["?"]
        if wrong:
            faults, wrongs[name] = faults + 1, wrongs[name] + 1
            print(f"{name}, trial {number}, {'+'.join(sent)}: {'; '.join(wrong[:4])}", flush=True)
        shutil.rmtree(out, ignore_errors=True)
    told = ", ".join(
        f"{name} {count}" + (f" with {wrongs[name]} faults" if wrongs[name] else "") for name, count in counts.items()
    )
    print(f"{total} kills in {number} trials ({told}): {faults} faults", flush=True)
    return faults


def main() -> None:
    """Entry point."""
    parser = module_parser("tests.kill_campaign", __doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=120.0, help="end after so many, however many kills there were")
    parser.add_argument("--stages", default="all", help="names with commas, `all`, or `fast` for those without training")
    given = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch

    import kpdetect.cli.main  # noqa: F401
    import kpdetect.inference.packing
    import kpdetect.inference.prediction_job
    import kpdetect.refinement.train  # noqa: F401

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as base:
        every = list(stages(Path(base)))
        chosen = {"all": every, "fast": FAST}.get(given.stages) or given.stages.split(",")
        sys.exit(min(1, campaign(chosen, given.kills, given.seed, Path(base), given.minutes)))


if __name__ == "__main__":
    main()
