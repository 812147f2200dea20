"""Random number generators whose state follows from names, so that step t needs no history to be repeated."""

from __future__ import annotations

import hashlib

import torch


def derived_seed(*names: int | str) -> int:
    """A 63-bit seed that depends on all `names`, for example (seed, "latents", step)."""
    text = "/".join(str(name) for name in names).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def derived_generator(*names: int | str) -> torch.Generator:
    """A CPU generator seeded by `derived_seed`."""
    return torch.Generator().manual_seed(derived_seed(*names))
