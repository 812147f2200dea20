"""Finished parts of a prediction of many images, which are kept until all parts exist.

After a kill, finished parts are not predicted again. Several processes share the parts. Each part is a file `START-STOP.npz` in
a hidden folder of the results. Its name begins with a key of everything that decides its content. The division into parts
depends on the number of images alone, so the number of processes may change between calls.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError, OutputError
from kpdetect.files.atomic import replacing
from kpdetect.training.peers import Peers, package_version

FOLDER, BEGUN = ".kpdetect-parts", ".begun"
SMALLEST, MOST = 512, 1024
"""Smallest number of images of a part, and largest number of parts of a prediction."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The keypoints of some of the images.

    Attributes:
        numbers: int64 [N], positions of the images in the list.
        keypoints_px: float32 [N, K, 2] in the original pixels of each image.
        confidence: float32 [N, K].
        sizes: int64 [N, 2], (height, width) of each image.
        digests: hash of each image's file.
        skipped: the reason for every unreadable image of the part, by its position.
    """

    numbers: NDArray[np.int64]
    keypoints_px: NDArray[np.float32]
    confidence: NDArray[np.float32]
    sizes: NDArray[np.int64]
    digests: list[str]
    skipped: dict[int, str]


class Parts:
    """The parts of one prediction.

    Args:
        out: folder of results.
        stage: identity of the predictions, see `kpdetect.inference.earlier_results.stage_of`.
        count: number of images.
    """

    def __init__(self, out: Path, stage: dict[str, Any], count: int) -> None:
        self.folder = out / FOLDER
        self.key = hashlib.sha256(json.dumps([package_version(), stage], sort_keys=True).encode()).hexdigest()[:16]
        size = SMALLEST * max(1, -(-count // (SMALLEST * MOST)))  # so that batches are those of one process
        self.spans = [range(start, min(start + size, count)) for start in range(0, count, size)]

    @property
    def begun(self) -> bool:
        """Whether an interrupted call has started exactly these predictions."""
        return (self.folder / f"{self.key}{BEGUN}").exists()

    def begin(self) -> None:
        """Record that all new files in the folder belong to these predictions."""
        with replacing(self.folder / f"{self.key}{BEGUN}") as temporary:
            temporary.touch()
        self._remove(self.folder.glob("*"), keep=self.key)

    def missing(self, spans: Sequence[range]) -> list[range]:
        """List the parts that do not exist yet."""
        return [span for span in spans if not self._path(span).exists()]

    def write(self, span: range, part: Part) -> None:
        """Write a part.

        Raises:
            OutputError: the part cannot be written.
        """
        skipped = json.dumps({str(number): reason for number, reason in part.skipped.items()})
        with replacing(self._path(span)) as temporary, open(temporary, "wb") as file:
            np.savez(
                file,
                numbers=part.numbers,
                keypoints_px=part.keypoints_px,
                confidence=part.confidence,
                sizes=part.sizes,
                digests=np.array(part.digests, dtype=str),
                skipped=np.frombuffer(skipped.encode("utf-8", "surrogatepass"), dtype=np.uint8),
            )

    def read(self, span: range) -> Part:
        """Read a part.

        Raises:
            OutputError: the part is missing or damaged. A damaged part is removed.
        """
        path = self._path(span)
        try:
            with np.load(path, allow_pickle=False) as arrays:
                skipped = json.loads(arrays["skipped"].tobytes().decode("utf-8", "surrogatepass"))
                return Part(
                    numbers=arrays["numbers"],
                    keypoints_px=arrays["keypoints_px"],
                    confidence=arrays["confidence"],
                    sizes=arrays["sizes"],
                    digests=arrays["digests"].tolist(),
                    skipped={int(number): reason for number, reason in skipped.items()},
                )
        except FileNotFoundError as error:
            raise OutputError(
                f"{self.folder.parent}: the part {path.name} of another process is missing; give all processes the same folder"
            ) from error
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            path.unlink(missing_ok=True)
            raise OutputError(
                f"{path}: this file was damaged and is removed; run the same command again to continue"
            ) from error

    def whole(self) -> Part:
        """Join all parts, in their order.

        Raises:
            OutputError: see `read`.
        """
        parts = [self.read(span) for span in self.spans]
        return Part(
            numbers=np.concatenate([part.numbers for part in parts]),
            keypoints_px=np.concatenate([part.keypoints_px for part in parts]),
            confidence=np.concatenate([part.confidence for part in parts]),
            sizes=np.concatenate([part.sizes for part in parts]),
            digests=[digest for part in parts for digest in part.digests],
            skipped={number: reason for part in parts for number, reason in part.skipped.items()},
        )

    def remove(self) -> None:
        """Remove all parts."""
        self._remove(self.folder.glob("*"))
        with suppress(OSError):  # the folder is missing, or holds other files
            self.folder.rmdir()

    def _remove(self, paths: Iterable[Path], keep: str | None = None) -> None:
        for path in paths:
            if path.suffix in (".npz", BEGUN) and (keep is None or not path.name.startswith(keep)):
                path.unlink(missing_ok=True)

    def _path(self, span: range) -> Path:
        return self.folder / f"{self.key}-{span.start}-{span.stop}.npz"


class Beginning:
    """An action that every process does once, as soon as any of them has something to write.

    Args:
        action: function that is called in every process at the same time, or in none if no process has something to write.
        peers: the processes. Each of them calls `here` or `missing`, or both.
    """

    def __init__(self, action: Callable[[], object], peers: Peers) -> None:
        self.action, self.peers, self.asked = action, peers, False

    def here(self) -> None:
        """Say that this process has something to write."""
        self._ask(True)

    def missing(self) -> None:
        """Say that this process has nothing to write, unless `here` was called."""
        self._ask(False)

    def _ask(self, here: bool) -> None:
        if not self.asked:
            self.asked = True
            if any(self.peers.gathered(here)):
                self.action()
                self.peers.wait()


def require_same_inputs(root: Path, stage: Mapping[str, Any], peers: Peers) -> None:
    """Refuse images that differ between processes, because parts of different lists do not fit together.

    Args:
        root: folder of the images, for the message.
        stage: identity of the predictions in this process, see `kpdetect.inference.earlier_results.stage_of`.
        peers: the processes.

    Raises:
        InputError: a process sees other files, sizes or times of change than the first.
    """
    seen = peers.gathered(stage["inputs"])
    if other := next((number for number, inputs in enumerate(seen) if inputs != seen[0]), None):
        raise InputError(
            f"{root}: process {other} sees other images than process 0 (names, sizes or times of change differ); "
            "give all processes the same folder"
        )
