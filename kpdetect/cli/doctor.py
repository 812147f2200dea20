"""`kpdetect doctor`.

The command imports every important package, and lets some packages do a small task.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

import typer

INSTALL = "pip install -c constraints/cpu.txt -e ."
OLDEST = (3, 11)
"""The oldest version of Python that works, as in `pyproject.toml`."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        subject: name of the package or resource.
        state: version of the package, or condition of the resource.
        remedy: how to repair it; empty if it works.
    """

    subject: str
    state: str
    remedy: str = ""

    @property
    def healthy(self) -> bool:
        """Whether the subject works."""
        return not self.remedy

    def __str__(self) -> str:
        mark = "ok    " if self.healthy else "BROKEN"
        return f"{mark} {self.subject}: {self.state}" + (f"; to repair it: {self.remedy}" if self.remedy else "")


def examine() -> list[Finding]:
    """Run every check on this installation."""
    findings = [_python(), *(_package(name, module) for name, module in PACKAGES.items())]
    checks: tuple[Callable[[], Finding], ...] = (_backbone, _image_codecs, _compute, _disk)
    return findings + [_guarded(check) for check in checks]


PACKAGES = {
    "torch": "torch", "albumentations": "albumentations", "scikit-learn": "sklearn", "opencv-python": "cv2",
    "pandas": "pandas", "h5py": "h5py", "safetensors": "safetensors", "pydantic": "pydantic", "matplotlib": "matplotlib",
    "av": "av", "pillow": "PIL",
}  # fmt: skip


def _python() -> Finding:
    wanted = sys.version_info >= OLDEST
    return Finding("python", platform.python_version(), "" if wanted else f"use Python {'.'.join(map(str, OLDEST))} or newer")


def _package(name: str, module: str) -> Finding:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else albumentations asks the network at import
    try:
        importlib.import_module(module)
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "works, but was not installed as a package")
    except Exception as error:  # a broken binary wheel may raise any exception; the other checks still run
        return Finding(name, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", INSTALL)


def _guarded(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # as in `_package`
        return Finding(check.__name__.strip("_"), f"{type(error).__name__}: {error}", INSTALL)


def _backbone() -> Finding:
    from kpdetect.detector.backbone import create_backbone

    create_backbone("resnet18")
    return Finding("timm", f"{metadata.version('timm')}, builds a resnet18")


def _image_codecs() -> Finding:
    import cv2
    import numpy as np

    image = np.zeros((8, 8, 3), np.uint8)
    missing = [suffix for suffix in (".jpg", ".png") if not cv2.imencode(suffix, image)[0]]
    return Finding("image codecs", f"no {missing}" if missing else "JPEG and PNG", INSTALL if missing else "")


def _compute() -> Finding:
    import torch

    from kpdetect.training.runtime import resolve_runtime

    runtime = resolve_runtime()
    name = torch.cuda.get_device_name() if runtime.device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    return Finding("compute", f"{name}, {str(runtime.compute).removeprefix('torch.')}")


def _disk() -> Finding:
    free = shutil.disk_usage(".").free / 2**30
    return Finding(
        "disk", f"{free:.1f} GiB free here", "" if free > 1 else "free at least 1 GiB, because a training writes checkpoints"
    )


def command() -> None:
    """Check the installation. List the packages, and say how to repair the broken ones."""

    findings = examine()
    for finding in findings:
        typer.echo(str(finding))
    broken = sum(not finding.healthy for finding in findings)
    typer.echo(f"{broken} problem{'s' if broken != 1 else ''} found" if broken else "everything works")
    if broken:
        raise typer.Exit(2)
