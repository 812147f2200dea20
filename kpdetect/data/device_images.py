"""Images on the device of the networks. They stay there if they fit; otherwise they are copied there before they are used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kpdetect.training.prefetch import prepared

SHARE = 0.4
"""Largest share of a GPU's free memory that images may take."""
CHUNK = 1024
"""Number of images that are copied at once."""
Arrays = tuple[NDArray[np.generic], ...]
Kind = TypeVar("Kind")


def fits(count: int, device: torch.device) -> bool:
    """Tell whether `count` bytes of images may stay on a device. On a CPU they always may."""
    return device.type != "cuda" or count < SHARE * torch.cuda.mem_get_info(device)[0]


def kept_on(parts: Iterable[NDArray[np.uint8]], count: int, device: torch.device) -> Tensor:
    """Copy images to a device.

    Args:
        parts: consecutive parts of the images, uint8 [n, height, width, 3].
        count: number of images in all parts together.
        device: where to copy them.

    Returns:
        The images, uint8 [count, 3, height, width].
    """
    kept, filled = None, 0
    for part in parts:
        there = torch.from_numpy(np.array(part)).to(device).permute(0, 3, 1, 2)
        if kept is None:
            kept = torch.empty((count, *there.shape[1:]), dtype=torch.uint8, device=device)
        kept[filled : filled + len(there)] = there
        filled += len(there)
    if kept is None:
        raise ValueError("no images")
    return kept


def chunks(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield consecutive parts of an array. The array may be memory-mapped."""
    return (images[first : first + CHUNK] for first in range(0, len(images), CHUNK))


def copied_ahead(
    make: Callable[[int], Arrays], first: int, device: torch.device, *, ahead: int = 2, workers: int = 1
) -> Generator[tuple[Tensor, ...], None, None]:
    """Yield `make(first)`, `make(first + 1)` and so on, as tensors on a device.

    Meanwhile threads make and copy the next ones. On a GPU they are copied from pinned memory on a separate stream. The current
    stream waits only for the copy that it uses next.
    """
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def copied(number: int) -> tuple[tuple[Tensor, ...], torch.cuda.Event | None]:
        tensors = tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in make(number))
        if stream is None:
            return tensors, None
        with torch.cuda.stream(stream):
            there = tuple(tensor.pin_memory().to(device, non_blocking=True) for tensor in tensors)
            return there, stream.record_event()

    upcoming = prepared(copied, first, ahead=ahead, workers=workers)
    try:
        for tensors, event in upcoming:
            if event is not None:
                current = torch.cuda.current_stream(device)
                current.wait_event(event)
                for tensor in tensors:
                    tensor.record_stream(current)
            yield tensors
    finally:
        upcoming.close()
