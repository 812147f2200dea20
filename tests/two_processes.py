"""Run the whole chain on cartoon faces in one process and in two that are killed twice, and compare the errors.

    python -m tests.two_processes --out FOLDER

Each chain is one `kpdetect run` with budgets in steps, and one measurement by the protocol `toy` of each of its detectors. A
chain of two processes is killed in two stages and continued by the same command: once one of the processes, once all of them
and torchrun. FOLDER/two-processes.md and .json hold the table. Finished chains are kept, and others continue.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kpdetect.module_command import module_parser

ROOT = Path(__file__).parents[1]
SETTINGS = [
    "generator.steps=250", "generator.optimiser.r1_weight=0.2", "generator.log_every=10", "generator.checkpoint_every=50",
    "pairs.count=2000", "pairs.shard_size=500",
    "detector.steps=150", "detector.model.input_size=64", "detector.warmup=20", "detector.log_every=10",
    "detector.checkpoint_every=30", "detector.sample_every=50",
    "refine.steps=100", "refine.warmup=20", "refine.log_every=10", "refine.checkpoint_every=30", "refine.sample_every=50",
    "rounds.steps=100",
]  # fmt: skip
IMAGES, SIZE = 1000, 32
DETECTORS = ("detector", "refined", "taught-1")
TRAININGS = ("generator", *DETECTORS)
LIMIT = 1500.0
"""Seconds after which a call counts as hanging."""


@dataclass(frozen=True)
class Kill:
    """SIGKILL in a stage: after its step `step` to the process `rank`, or without a rank to all processes and torchrun."""

    stage: str
    step: int
    rank: int | None = None


@dataclass(frozen=True)
class Chain:
    """One `kpdetect run`.

    Attributes:
        seed: seed of all random numbers.
        ranks: number of processes; 1 runs without torchrun.
        kills: the kills, in the order of the stages.
        restarts: how often torchrun starts the processes again by itself.
    """

    seed: int
    ranks: int = 1
    kills: tuple[Kill, ...] = ()
    restarts: int = 0


CHAINS = {
    "one-0": Chain(0),
    "one-1": Chain(1),
    "one-2": Chain(2),
    "two-0": Chain(0, 2, (Kill("generator", 120, rank=1), Kill("refined", 50))),
    "two-1": Chain(1, 2, (Kill("detector", 80, rank=0), Kill("taught-1", 50)), restarts=1),
}


@dataclass
class Outcome:
    """What a chain has done so far; `chain.json` in its folder.

    Attributes:
        kills: the kills that have happened, in words.
        wall: seconds of all calls of `kpdetect run`, by the clock.
        seconds: training time of each stage, as its checkpoint counts it.
        errors: error of each detector in percent, see the protocol `toy`.
        floor: error of the mean shape.
        made_by: the commit and the hardware.
    """

    kills: list[str] = field(default_factory=list)
    wall: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    floor: float = 0.0
    made_by: dict[str, Any] = field(default_factory=dict)


def command(chain: Chain, images: Path, project: Path) -> list[str]:
    """The command line of a chain."""
    words = [sys.executable]
    if chain.ranks > 1:
        words += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(chain.ranks)]
        words += ["--max-restarts", str(chain.restarts)]
    words += ["-m", "kpdetect.cli.main", "run", str(images), "--out", str(project), "--size", str(SIZE), "--rounds", "1"]
    words += ["--seed", str(chain.seed), "--device", "cpu"]
    return words + [word for setting in SETTINGS for word in ("--set", setting)]


def finish(name: str, chain: Chain, base: Path) -> Outcome:
    """Run a chain, or continue it, and measure its detectors."""
    folder, record = base / name, base / name / "chain.json"
    outcome = Outcome(**json.loads(record.read_text())) if record.exists() else Outcome()
    if outcome.errors:
        return outcome
    folder.mkdir(parents=True, exist_ok=True)
    project, running = folder / "project", None
    words = command(chain, base / "unlabelled" / "images", project)
    with open(folder / "log", "a", encoding="utf-8") as log:
        for kill in (*chain.kills[len(outcome.kills) :], None):
            running = running or start(words, log)
            began = time.monotonic()
            if kill is not None:
                wait_for(project / kill.stage / "metrics.jsonl", kill.step, running)
                outcome.kills.append(f"{kill.stage} after step {kill.step}: {strike(running, kill.rank)}")
            if kill is None or kill.rank is None or not chain.restarts:
                ended(running, expected=kill is None)
                running = None
            outcome.wall += time.monotonic() - began
            record.write_text(json.dumps(asdict(outcome)))
    measure(outcome, project, base / "annotated")
    record.write_text(json.dumps(asdict(outcome), indent=1))
    return outcome


def start(words: list[str], log: Any) -> subprocess.Popen[bytes]:
    """Start a call of the chain's command."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(words, stdout=log, stderr=log, env=environment)


def wait_for(metrics: Path, step: int, running: subprocess.Popen[bytes]) -> None:
    """Wait until a training has logged a step.

    Raises:
        RuntimeError: the command ends before, or takes too long.
    """
    until = time.monotonic() + LIMIT
    while last(metrics).get("step", 0) < step:
        if running.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{metrics}: step {step} was not reached; the command ended with {running.poll()}")
        time.sleep(0.1)


def strike(running: subprocess.Popen[bytes], rank: int | None) -> str:
    """Kill one process of a command or all of them, and say which."""
    workers = {number: process for process in workers_of(running.pid) if (number := rank_of(process)) is not None}
    targets = [running.pid, *workers.values()] if rank is None else [workers[rank]]
    for process in targets:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return "all processes and torchrun" if rank is None else f"process {rank}"


def workers_of(launcher: int) -> Iterator[int]:
    """The processes that a launcher has started."""
    for thread in Path(f"/proc/{launcher}/task").iterdir():
        yield from map(int, (thread / "children").read_text().split())


def rank_of(process: int) -> int | None:
    """The number that torchrun has given a process."""
    entries = Path(f"/proc/{process}/environ").read_text().split("\0")
    return next((int(entry.removeprefix("RANK=")) for entry in entries if entry.startswith("RANK=")), None)


def ended(running: subprocess.Popen[bytes], *, expected: bool) -> None:
    """Wait for the end of a command.

    Raises:
        RuntimeError: it ends well although a process was killed, or the other way around.
    """
    if (code := running.wait(LIMIT)) == 0 and expected or code != 0 and not expected:
        return
    raise RuntimeError(f"the command ended with {code}")


def last(metrics: Path) -> dict[str, Any]:
    """The last line of losses of a training; empty before the first."""
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    return next((line for text in reversed(lines) if "images" in (line := json.loads(text))), {})


def measure(outcome: Outcome, project: Path, annotated: Path) -> None:
    """Add the times of the trainings and the errors of the detectors to an outcome."""
    from benchmarks.benchmarking.benchmark import benchmark
    from kpdetect.training.checkpoints import read_model_description

    outcome.seconds = {stage: last(project / stage / "metrics.jsonl")["seconds"] for stage in TRAININGS}
    for stage in DETECTORS:
        rows = benchmark("toy", project / stage, annotated, project.parent / "results" / stage, baselines=False).result.rows
        headline = {row.kind: row.mean_of_ratios for row in rows if row.headline}
        outcome.errors[stage], outcome.floor = headline["model"], headline["floor"]
    described = read_model_description(project / DETECTORS[-1] / "model.safetensors")
    outcome.made_by = {"commit": described.commit, "hardware": described.hardware}


def verdict(outcomes: dict[str, Outcome]) -> str:
    """Whether the mean error of two processes lies within the spread of one process, in a sentence."""
    one, two = (
        [outcome.errors[DETECTORS[-1]] for name, outcome in outcomes.items() if name.startswith(kind)]
        for kind in ("one", "two")
    )
    if len(one) < 2 or not two:
        return "Not all chains are finished."
    mean, low, high = statistics.mean(two), min(one), max(one)
    place = "within" if low <= mean <= high else "below" if mean < low else "above"
    return (
        f"Two processes: mean {mean:.2f} % of {len(two)} seeds. One process: mean {statistics.mean(one):.2f} % of {len(one)} "
        f"seeds, standard deviation {statistics.stdev(one):.2f}, from {low:.2f} to {high:.2f}. The mean of two processes lies "
        f"{place} the spread of one."
    )


def table(outcomes: dict[str, Outcome]) -> str:
    """The outcomes as Markdown."""
    head = ["processes", "seed", "killed", *(f"error, {stage}" for stage in DETECTORS), "share of the floor"]
    head += [*(f"{stage}, s" for stage in TRAININGS), "all calls, s"]
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    for name, outcome in outcomes.items():
        chain, errors = CHAINS[name], [outcome.errors[stage] for stage in DETECTORS]
        cells = [str(chain.ranks), str(chain.seed), "; ".join(outcome.kills), *(f"{error:.2f} %" for error in errors)]
        cells += [f"{errors[-1] / outcome.floor:.3f}", *(f"{outcome.seconds[stage]:.0f}" for stage in TRAININGS)]
        lines.append(" | ".join([*cells, f"{outcome.wall:.0f}"]))
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    """Entry point."""
    parser = module_parser("tests.two_processes", __doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of everything that is written")
    parser.add_argument("--chains", default=",".join(CHAINS), help="names of the chains to run, with commas (%(default)s)")
    given = parser.parse_args()
    from kpdetect.toy.dataset import write_toy

    base: Path = given.out.resolve()
    for seed, folder in enumerate(("unlabelled", "annotated")):
        write_toy(base / folder, IMAGES, size=SIZE, seed=seed)
    for name in given.chains.split(","):
        print(name, finish(name, CHAINS[name], base), flush=True)
    done = {name: finish(name, chain, base) for name, chain in CHAINS.items() if complete(base / name / "chain.json")}
    text = f"{table(done)}\n\n{verdict(done)}\n"
    (base / "two-processes.md").write_text(text, encoding="utf-8")
    content = {"settings": SETTINGS, "verdict": verdict(done), "chains": {name: asdict(each) for name, each in done.items()}}
    (base / "two-processes.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    print(text)


def complete(record: Path) -> bool:
    """Whether a chain is finished and measured."""
    return record.exists() and bool(json.loads(record.read_text())["errors"])


if __name__ == "__main__":
    main()
