"""Errors that mean that the memory is full, whichever library raises them."""

from __future__ import annotations

import errno

ADVICE = "the memory is full; end other programs, or take smaller images, sizes or batches"
WORDS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "unable to allocate",
    "failed to allocate",
    "failed to map segment",
    "insufficient memory",
    "bad allocation",
    "bad_alloc",
)
"""What PyTorch, OpenCV and HDF5, which have no type for it, say; in lower case."""


def is_memory_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that memory could not be had."""
    if error is None:
        return False
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    text = str(error).lower()
    return any(words in text for words in WORDS) or is_memory_full(error.__cause__ or error.__context__)
