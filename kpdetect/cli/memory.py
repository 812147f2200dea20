"""Recognise errors which say that the memory is full, whichever library raises them."""

from __future__ import annotations

import errno

ADVICE = "the memory is full; close other programs, or use smaller images, sizes or batches"
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
"""Words, in lower case, by which PyTorch, OpenCV and HDF5 say that the memory is full. They have no exception type for it."""


def is_memory_full(error: BaseException | None) -> bool:
    """Tell whether an error or one of its causes says that memory could not be allocated."""
    if error is None:
        return False
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    text = str(error).lower()
    return any(words in text for words in WORDS) or is_memory_full(error.__cause__ or error.__context__)
