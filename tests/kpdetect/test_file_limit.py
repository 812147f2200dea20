"""Writing under a limit on the size of files, which fails in the middle as a full disk does."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from kpdetect.data.folder import build_cache
from kpdetect.images.arrays import fit_image
from kpdetect.images.image_files import read_image

resource = pytest.importorskip("resource", reason="this system has no such limits")

VIDEO = """
import numpy as np
from kpdetect.inference.overlay_video import overlay_video
noise = np.random.default_rng(0)
with overlay_video(out / "overlay.mp4", 25.0, False) as video:
    for _ in range(40):
        video.add(noise.integers(0, 256, (120, 160, 3), np.uint8))
if video.failure:
    raise OutputError(video.failure)
"""

CACHE = """
from kpdetect.data.folder import build_cache
build_cache(out.parent / "blobs", out, 64, "centre", set())
"""
FORMATS = """
import numpy as np
from kpdetect.inference.formats.choice import write_formats
from kpdetect.inference.predictions import Predictions
noise = np.random.default_rng(0).uniform(0, 60, (4000, 3, 3)).astype(np.float32)
sizes = np.full((4000, 2), 64)
found = Predictions(
    images=[f"{number}.png" for number in range(4000)], keypoints_px=noise[..., :2], confidence=noise[..., 2], sizes=sizes
)
write_formats(found, [name], out)
"""


def limited(code, out, limit):
    """What a process that may write files of `limit` bytes says, and what it leaves in `out`."""
    out.mkdir()
    begin = f"""
import resource, sys
from pathlib import Path
from kpdetect.errors import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
out = Path({str(out)!r})
try:
"""
    body = "".join(f"    {line}\n" for line in code.strip().splitlines())
    end = "except OutputError as error:\n    print(error)\n    sys.exit(2)\n"
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", begin + body + end],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=root,
        check=False,
    )
    return done, sorted(path.name for path in out.iterdir())


@pytest.mark.slow
def test_a_video_that_does_not_fit_is_not_left_behind_cut(tmp_path):
    done, left = limited(VIDEO, tmp_path / "out", 100_000)
    assert (done.returncode, left) == (2, []), done.stderr
    assert "overlay.mp4" in done.stdout
    done, left = limited(VIDEO, tmp_path / "enough", 100_000_000)
    assert (done.returncode, left) == (0, ["overlay.mp4"]), done.stderr


@pytest.mark.parametrize("limit", [1_000, 150_000, 400_000])
def test_images_that_do_not_fit_are_refused_and_leave_no_cache(blob_folder, tmp_path, limit):
    done, left = limited(CACHE, tmp_path / "out", limit)
    assert (done.returncode, [name for name in left if "images" in name]) == (2, []), done.stderr
    assert "images.h5: the file is larger than the limit" in done.stdout
    assert not [name for name in left if name.endswith(".part")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dlc-h5", "sleap"])
def test_tables_of_other_tools_that_do_not_fit_are_refused(tmp_path, name):
    if name == "dlc-h5":
        pytest.importorskip("tables", reason="the package tables is not installed")
    done, left = limited(f"name = {name!r}\n{FORMATS}", tmp_path / "out", 50_000)
    assert (done.returncode, left) == (2, []), done.stderr
    assert "the file is larger than the limit" in done.stdout


def test_a_cache_without_some_images_holds_the_others(blob_folder, tmp_path):
    """Two of 24 cannot be read; rows follow the names of the others."""
    for name in ("003.png", "017.png"):
        (blob_folder / name).write_text("no picture")
    cache = build_cache(blob_folder, tmp_path / "out", 32, "stretch", set())
    with h5py.File(tmp_path / "out" / "images.h5", "r") as file:
        names = [name.decode() for name in file["names"][:]]
    assert len(cache) == len(names) == 22
    for row, name in enumerate(names):
        np.testing.assert_array_equal(cache.images[row], fit_image(read_image(blob_folder / name), 32, "stretch")[0])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["images.h5", "skipped.csv", "sources.csv"]
