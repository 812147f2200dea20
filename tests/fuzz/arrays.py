"""Damage to HDF5 files, safetensors and torch's archives."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.fuzz.structures import hostile, places_of, structure


def change_hdf5(path: Path, random: Random) -> None:
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        for _ in range(random.choice((1, 1, 2))):
            name = random.choice(names or ["x"])
            if name in file:
                _change_member(file, name, random)


def _change_member(file: h5py.File, name: str, random: Random) -> None:
    member = file[name]
    holder = random.choice((file, member))
    action = random.randrange(12)
    if action <= 1 and holder.attrs:
        key = random.choice(list(holder.attrs))
        text = holder.attrs[key]
        value: Any = random.choice((3, -1.5, "", "[" * 5000, np.zeros(3), np.nan, b"\xff", "x"))
        if isinstance(text, str) and text[:1] in "{[" and random.random() < 0.7:
            value = json.dumps(structure(json.loads(text), random))
        holder.attrs[key] = value
        return
    if not isinstance(member, h5py.Dataset):
        if action < 6:
            del file[name]
        return
    values, shape = member[()], member.shape
    del file[name]
    if action == 2:
        return
    if action == 3:
        file.create_group(name)
    elif action == 4:
        file[name] = h5py.SoftLink("/somewhere")
    elif action == 5:
        file.create_dataset(name, shape, member_type(random), external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
    elif action == 6:
        file.create_dataset(name, [*shape[:-1], 2 ** random.choice((1, 20, 40))], np.uint8, chunks=True, compression="gzip")
    elif action == 7:
        file[name] = np.zeros(random.choice(((), (0,), (3,), (2, 2), (*shape, 1), shape[::-1])), member_type(random))
    elif action == 8 and values.dtype.kind in "iuf":
        changed = values.reshape(-1).copy()
        for _ in range(3):
            if changed.size:
                value = np.array(random.choice((0, -1, 7, 2**31, np.nan, 1e30)))
                with np.errstate(all="ignore"):
                    changed[random.randrange(changed.size)] = value.astype(changed.dtype)
        file[name] = changed.reshape(values.shape)
    elif action == 9:
        file[name] = "text"
    elif action == 10:
        file[name] = h5py.Empty("f")
    else:
        with np.errstate(all="ignore"):
            file[name] = values.astype(member_type(random)) if values.dtype.kind in "iufb" else np.zeros(3)


def member_type(random: Random) -> Any:
    return random.choice(
        (np.uint8, np.int16, np.int64, np.float16, np.float32, np.float64, np.bool_, ">f4", "S4", np.complex64)
    )


def change_safetensors(path: Path, random: Random) -> None:
    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata() or {})
    tensors = load_file(path)
    if "kpdetect" in metadata and random.random() < 0.6:
        metadata["kpdetect"] = json.dumps(structure(json.loads(metadata["kpdetect"]), random))
        if random.random() < 0.1:
            metadata = {"kpdetect": random.choice(("", "[" * 3000, "3", "x"))}
    else:
        name = random.choice(list(tensors))
        tensors[name] = _changed_tensor(tensors[name], random)
        if random.random() < 0.3:
            tensors[random.choice(("x", "stem.conv1.weight"))] = tensors.pop(name)
    save_file({key: value.contiguous() for key, value in tensors.items()}, path, metadata=metadata)


def _changed_tensor(tensor: torch.Tensor, random: Random) -> torch.Tensor:
    return random.choice(
        [
            lambda: torch.full_like(tensor, float("nan")) if tensor.is_floating_point() else tensor,
            lambda: tensor.reshape(-1),
            lambda: tensor[None],
            lambda: torch.zeros(0),
            lambda: tensor.to(torch.int8),
            lambda: tensor.double(),
            lambda: torch.zeros(3, dtype=torch.bool),
            lambda: tensor.to(torch.complex64),
        ]
    )()


class _Evil:
    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('code of a file has run')",))


def change_checkpoint(path: Path, random: Random) -> None:
    content = torch.load(path, weights_only=True)
    if random.random() < 0.1:
        path.write_bytes(pickle.dumps({"kind": "detector", "version": 1, "state": _Evil()}))
        return
    places = places_of(content, [])
    for _ in range(random.choice((1, 2))):
        holder, key = random.choice(places)
        if key not in holder if isinstance(holder, dict) else key >= len(holder):
            continue
        if random.random() < 0.2:
            del holder[key]
        elif isinstance(holder[key], torch.Tensor) and random.random() < 0.7:
            holder[key] = _changed_tensor(holder[key], random)
        else:
            value = hostile(random)
            holder[key] = value if not isinstance(value, int) or abs(value) < 2**63 else 3
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getvalue())
