"""Measure memory and disk: the peak memory of this process, and the memory and free disk space of this machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import torch


def peak_resident() -> int:
    """Read the peak resident memory of this process in bytes; 0 if the system does not tell it."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, ru_maxrss starts with the peak of the process that started this one
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
        return int(line.split()[1]) * 2**10
    if os.name != "posix":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 2**10)


def peak_memory(device: torch.device) -> int:
    """Read the peak memory of this process on a device, in bytes. For a CPU it is the peak resident memory."""
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else peak_resident()


def memory_there(device: torch.device) -> int | None:
    """Read the memory of a GPU or of this machine, in bytes; None if the system does not tell it."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if os.name == "posix" else None


def disk_there(folder: Path) -> int:
    """Read the free space on the disk of a folder, in bytes. The folder need not exist yet."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free
