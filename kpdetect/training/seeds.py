"""Random seeds derived from names and numbers. They allow a step to be repeated without the steps before it."""

from __future__ import annotations

import hashlib

import torch


def derived_seed(*names: int | str) -> int:
    """Compute a 63-bit seed that depends on all `names`, for example (seed, "latents", step)."""
    text = "/".join(str(name) for name in names).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def derived_generator(*names: int | str) -> torch.Generator:
    """Make a CPU generator with the seed from `derived_seed`."""
    return torch.Generator().manual_seed(derived_seed(*names))
