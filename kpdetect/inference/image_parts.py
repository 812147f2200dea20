"""Finished parts of a prediction of many images. They are kept as files until all parts exist.

If a call is interrupted, the next call does not predict its finished parts again. Several processes share the parts. Each part
is a file `KEY-START-STOP.npz` in a hidden folder inside the folder of results. KEY depends on everything that changes the
predictions, and START and STOP are positions in the list of images. The division into parts depends only on the number of
images, so the number of processes may change between calls.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError, OutputError
from kpdetect.files.atomic import replacing
from kpdetect.training.processes import Peers, package_version

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
        skipped: why each unreadable image of the part cannot be read, by its position in the list.
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
        size = SMALLEST * max(1, -(-count // (SMALLEST * MOST)))  # so that the batches are the same as in a call of one process
        self.spans = [range(start, min(start + size, count)) for start in range(0, count, size)]

    @property
    def begun(self) -> bool:
        """Whether an interrupted call has started predictions of the same identity."""
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

    def each(self) -> Iterator[Part]:
        """Read the parts one by one, in their order.

        Raises:
            OutputError: see `read`.
        """
        return map(self.read, self.spans)

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
    """An action that every process does once, when at least one of the processes has something to write.

    Args:
        action: function to call in every process at the same time. If no process has something to write, it is not called.
        peers: the processes. Each of them calls `here`, `missing`, or first one and then the other.
    """

    def __init__(self, action: Callable[[], object], peers: Peers) -> None:
        self.action, self.peers, self.asked = action, peers, False

    def here(self) -> None:
        """Tell the other processes that this one has something to write."""
        self._ask(True)

    def missing(self) -> None:
        """Tell the other processes that this one has nothing to write. After `here`, do nothing."""
        self._ask(False)

    def _ask(self, here: bool) -> None:
        if not self.asked:
            self.asked = True
            if any(self.peers.gathered(here)):
                self.action()
                self.peers.wait()


def require_same_inputs(root: Path, stage: Mapping[str, Any], peers: Peers) -> None:
    """Check that all processes see the same images, because they divide one list of images among them.

    Args:
        root: folder of the images, for the message.
        stage: identity of the predictions in this process, see `kpdetect.inference.earlier_results.stage_of`.
        peers: the processes.

    Raises:
        InputError: the files of a process have other names, sizes or times of change than those of the first process.
    """
    seen = peers.gathered(stage["inputs"])
    if other := next((number for number, inputs in enumerate(seen) if inputs != seen[0]), None):
        raise InputError(
            f"{root}: process {other} sees other images than process 0 (names, sizes or times of change differ); "
            "give all processes the same folder"
        )
