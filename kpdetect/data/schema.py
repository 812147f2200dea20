"""The format of pairs of an image and its keypoints on disk.

A folder of shards holds `manifest.json` and files `pairs-00000.h5`, .... Each shard is a complete HDF5 file with

    keypoints  float32 [count, K, 2]   normalised (x, y); -1 and 1 are the outer edges of the image
    visible    bool    [count, K]      whether the keypoint is inside the image and on the foreground
    images     codec raw:  uint8 RGB [count, height, width, 3], one image a chunk
               codec jpeg: uint8 [bytes], the JPEG files one after the other
    offsets    int64 [count + 1]       codec jpeg only: image i is images[offsets[i]:offsets[i + 1]]

    masks      uint8 [count, height, width], gzip; 255 on the foreground; only if they were requested

The attributes of the file are the values of `Facts`, with schema, version, start and stop.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from kpdetect.errors import ConfigError, InputError, ShardError
from kpdetect.files.atomic import write_json
from kpdetect.files.json_yaml import read_json_file
from kpdetect.files.records import BareName, Count, Positive, Record, checked

SCHEMA = "kpdetect-pairs"
VERSION = 1
MANIFEST = "manifest.json"
Codec = Literal["jpeg", "raw"]
MOST_KEYPOINTS = 100_000
Side = Annotated[int, Field(ge=1, le=1 << 14)]
"""Height or width of an image in pixels."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The values that all shards of a folder share.

    Attributes:
        codec: encoding of the images.
        size: (height, width) of the images.
        keypoints: number of keypoints per pair.
        shard_size: number of pairs per shard. The last shard may hold fewer.
        provenance: the model and settings that made the pairs. If it is equal, the pairs are equal.
        masks: whether foreground masks are stored too.
    """

    codec: Codec
    size: tuple[int, int]
    keypoints: int
    shard_size: int
    provenance: dict[str, Any]
    masks: bool = False

    @property
    def least_bytes(self) -> int:
        """The smallest possible size in bytes of a pair in a shard. Keypoints and raw images are stored uncompressed."""
        return 9 * self.keypoints + (3 * self.size[0] * self.size[1] if self.codec == "raw" else 1)

    def attributes(self, start: int, stop: int) -> dict[str, Any]:
        """Make the attributes of the shard with the pairs start <= i < stop."""
        known = {
            "schema": SCHEMA,
            "version": VERSION,
            "coordinates": "normalised xy, edges at +-1",
            "start": start,
            "stop": stop,
        }
        return known | {name: json.dumps(value, sort_keys=True) for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One finished shard: its pairs start <= i < stop, its size in bytes and its checksum."""

    file: str
    start: int
    stop: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The finished shards of a folder, in order, and the values that they share."""

    facts: Facts
    shards: tuple[Shard, ...] = field(default_factory=tuple)

    @property
    def count(self) -> int:
        """The number of pairs in all finished shards."""
        return sum(shard.stop - shard.start for shard in self.shards)

    def including(self, shard: Shard) -> Manifest:
        """Return a copy of the manifest that includes `shard`, in the order of the pairs."""
        others = [other for other in self.shards if other.file != shard.file]
        return replace(self, shards=tuple(sorted([*others, shard], key=lambda other: other.start)))

    def write(self, folder: Path) -> None:
        """Write the manifest into the folder. An existing one is replaced."""
        shards = [asdict(shard) for shard in self.shards]
        write_json(
            folder / MANIFEST,
            {"schema": SCHEMA, "version": VERSION, "count": self.count, **asdict(self.facts), "shards": shards},
        )

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a folder.

        Raises:
            InputError: there is no manifest.
            ShardError: the manifest has another schema or version, or is incomplete.
        """
        if not (folder / MANIFEST).exists():
            raise InputError(f"{folder / MANIFEST}: no such file; expected a folder of pairs, see `kpdetect generate`")
        content = read_json_file(folder / MANIFEST, ShardError)
        if not isinstance(content, dict) or (content.get("schema"), content.get("version")) != (SCHEMA, VERSION):
            raise ShardError(f"{folder / MANIFEST}: not a manifest of {SCHEMA} version {VERSION}; make the pairs again")
        return checked(_ManifestRecord, content, folder / MANIFEST, ShardError, "make the pairs again").manifest()


class _ShardRecord(Record):
    """A finished shard, as the manifest's file stores it."""

    file: BareName
    start: Count
    stop: Positive
    bytes: Count
    sha256: str


class _ManifestRecord(Record):
    """The content of a manifest's file."""

    codec: Codec
    size: tuple[Side, Side]
    keypoints: Annotated[int, Field(ge=1, le=MOST_KEYPOINTS)]
    shard_size: Positive
    provenance: dict[str, Any]
    masks: bool = False  # folders of earlier versions lack this value
    shards: tuple[_ShardRecord, ...]

    def manifest(self) -> Manifest:
        """Convert the content to a manifest."""
        facts = Facts(**{name: getattr(self, name) for name in Facts.__dataclass_fields__})
        return Manifest(facts=facts, shards=tuple(Shard(**shard.model_dump()) for shard in self.shards))


def require_same_facts(folder: Path, old: Facts, new: Facts) -> None:
    """Refuse to add pairs to a folder whose pairs were made differently.

    Raises:
        ConfigError: the values differ. The message names the differences.
    """
    before, after = dict(_flat(asdict(old))), dict(_flat(asdict(new)))
    changed = [
        f"{name}: {before.get(name)} -> {after.get(name)}"
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]
    if changed:
        raise ConfigError(
            f"{folder}: the pairs in this folder were made differently ({'; '.join(changed)}); give another `out`"
        )


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


def shard_name(number: int) -> str:
    """Return the file name of shard `number`."""
    return f"pairs-{number:05d}.h5"
