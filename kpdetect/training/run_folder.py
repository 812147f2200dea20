"""The run folder, which holds the settings, progress and results of one training.

config.yaml        the complete configuration, with comments
environment.json   commit, versions, hardware, start time
metrics.jsonl      metrics, one JSON object per line
samples/           sample sheets
checkpoint.pt      everything that is needed to continue exactly
model.safetensors  the weights, which are the result
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from kpdetect.config import StrictConfig, differences, read_config, write_config
from kpdetect.errors import ConfigError, FormatError
from kpdetect.files.atomic import write_json, write_text
from kpdetect.files.folders import make_folder
from kpdetect.files.json_yaml import parse_json
from kpdetect.files.reading import reading
from kpdetect.files.temporary import LOCK
from kpdetect.training.checkpoints import CHECKPOINT, WEIGHTS
from kpdetect.training.progress_note import NOTE

PACKAGES = ("kpdetect", "torch", "timm", "albumentations", "scikit-learn", "opencv-python", "pandas", "h5py", "numpy")

CONFIG, ENVIRONMENT = "config.yaml", "environment.json"
ORIENTATION = "orientation.json"
"""Name of the record of the directions of the objects."""
WITHOUT_WORK = (LOCK, NOTE, CONFIG, ENVIRONMENT, ORIENTATION)
"""Files of a run that has not done any work."""
EARLY_SHEET_SECONDS = 15.0
"""Training time of the first sample sheet, in seconds. It doubles from sheet to sheet until the first `sample_every`."""


class RunFolder:
    """The folder of a run. Opening it again with the same configuration continues the run.

    Args:
        folder: the folder.
        config: configuration of the run.
        exempt: dotted keys whose values may change when the run is continued.
        writes: whether this process writes files. If several processes train together, only one writes.

    Raises:
        ConfigError: the folder holds a run with another configuration. The message lists the differences.
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, config: StrictConfig, exempt: Iterable[str] = (), *, writes: bool = True) -> None:
        self.folder, self.writes = make_folder(folder) if writes else folder, writes
        self.events: Any = None
        existing = folder / CONFIG
        if self.begun:
            changed = differences(read_config(type(config), existing), config, exempt)
            if changed:
                raise ConfigError(
                    f"{folder}: the run in this folder has another configuration ({'; '.join(changed)}); "
                    "give another `out`, or the same settings to continue"
                )
        if not writes:
            return
        write_config(config, existing)
        if not (folder / ENVIRONMENT).exists():
            write_json(folder / ENVIRONMENT, environment())

    @property
    def begun(self) -> bool:
        """Whether the run has done any work. If it failed before, it may be started again with other settings."""
        return has_begun(self.folder)

    @property
    def checkpoint(self) -> Path:
        """Path of the latest checkpoint."""
        return self.folder / CHECKPOINT

    @property
    def weights(self) -> Path:
        """Path of the weights, the result of the run."""
        return self.folder / WEIGHTS

    @property
    def metrics(self) -> Path:
        """Path of the metrics, one JSON object per line."""
        return self.folder / "metrics.jsonl"

    def sample(self, step: int) -> Path:
        """Path of the sample sheet of a step."""
        return self.folder / "samples" / f"{step:07d}.png"

    def write_events(self, step: int) -> None:
        """From now on, also write metrics as TensorBoard events in `events/`. Hide existing events of steps after `step`."""
        from torch.utils.tensorboard.writer import SummaryWriter

        self.events = SummaryWriter(str(self.folder / "events"), purge_step=step + 1)  # type: ignore[no-untyped-call]

    def log(self, **values: Any) -> None:
        """Append one line to the metrics."""
        if self.events is not None:
            for name, value in values.items():
                if name != "step" and isinstance(value, int | float):
                    self.events.add_scalar(name, value, values["step"])
            self.events.flush()
        with open(self.metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def rewind(self, step: int) -> None:
        """Remove the metrics of steps after `step`. A run that was killed repeats the steps after its last checkpoint."""
        if not self.metrics.exists():
            return
        lines = self.metrics.read_text(encoding="utf-8", errors="replace").splitlines()
        write_text(self.metrics, "".join(f"{line}\n" for line in lines if _step(line) <= step))


def has_begun(folder: Path) -> bool:
    """Whether a folder holds a run or a project that has done any work."""
    return (folder / CONFIG).exists() and any(path.name not in WITHOUT_WORK for path in folder.iterdir())


def _step(line: str) -> float:
    values = _values(line)
    return float("inf") if values is None else values["step"]


def _values(line: str) -> dict[str, Any] | None:
    """Parse a line of metrics. Return None if it is not one, for example because the process was killed while it wrote."""
    try:
        values = parse_json(line, "metrics")
    except FormatError:
        return None
    step = values.get("step") if isinstance(values, dict) else None
    return values if isinstance(step, int) and 0 <= step < 2**53 else None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the metrics of a run. Skip incomplete lines. Return an empty list if there is no file."""
    if not path.exists():
        return []
    with reading(path):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [values for line in lines if (values := _values(line)) is not None]


def environment() -> dict[str, Any]:
    """Describe the commit of the code, the versions of packages and the hardware, as values for JSON."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": code_commit(),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "hardware": hardware(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def code_commit() -> str:
    """Return the git commit of this code, with "+" if files have changed since.

    Outside a checkout, as in a container, it is the value of the environment variable KPDETECT_COMMIT, or "unknown".
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return os.environ.get("KPDETECT_COMMIT") or "unknown"
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def hardware() -> dict[str, Any]:
    """Describe the processor, cores, memory and GPU of this machine, as values for JSON."""
    import torch

    from kpdetect.training.runtime import available_cores

    return {
        "processor": _processor(),
        "cores": available_cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30) if os.name == "posix" else None,
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def hardware_line(values: dict[str, Any]) -> str:
    """Describe the result of `hardware` in a line: "AMD EPYC, 2 cores, 24 GiB memory". Unknown values are left out."""
    cores = "{} core" if values.get("cores") == 1 else "{} cores"
    units = {"processor": "{}", "cores": cores, "memory_gib": "{} GiB memory", "accelerator": "{}"}
    return ", ".join(text.format(values[name]) for name, text in units.items() if values.get(name))


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.machine()


def next_sheet(seconds: float) -> float:
    """Return the next of the times 15 s, 30 s, 60 s, ... after a training time."""
    due = EARLY_SHEET_SECONDS
    while due <= seconds:
        due *= 2
    return due
