"""Write pairs of an image and its keypoints as WebDataset tar files, for streaming.

The members 00000007.jpg and 00000007.json are one pair."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from kpdetect.data.derived_files import derived
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.files.atomic import replacing
from kpdetect.files.folders import make_folder
from kpdetect.progress import Progress


def write_webdataset(folder: ShardFolder, out: Path) -> list[Path]:
    """Write one tar file per shard. A tar file gets its name when it is complete.

    Tar files that an earlier call wrote for the same pairs are kept. Tar files that it wrote for other pairs are removed.

    The JSON holds `keypoints` (normalised x, y), `visible` and `index`.

    Raises:
        OutputError: `out` cannot be written, or a file exists in its place that no earlier call wrote.
    """
    make_folder(out)
    names = {shard.file: f"{Path(shard.file).stem}.tar" for shard in folder.manifest.shards}
    with (
        derived(out, "webdataset", folder.hash, names.values()) as kept,
        Progress(len(folder), "write WebDataset", unit="pairs") as progress,
    ):
        for shard in folder.manifest.shards:
            if names[shard.file] not in kept:
                with replacing(out / names[shard.file]) as temporary, tarfile.open(temporary, "w") as tar:
                    for index in range(shard.start, shard.stop):
                        _add_pair(tar, folder, index)
            progress.update(shard.stop - shard.start)
    return [out / name for name in names.values()]


def _add_pair(tar: tarfile.TarFile, folder: ShardFolder, index: int) -> None:
    data, keypoints, visible = folder.read_jpeg(index)
    facts = {"keypoints": keypoints.round(6).tolist(), "visible": visible.tolist(), "index": index}
    for ending, content in (("jpg", data), ("json", json.dumps(facts).encode())):
        member = tarfile.TarInfo(f"{index:08d}.{ending}")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
