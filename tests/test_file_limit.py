"""Writing under a limit on the size of files, which fails in the middle as a full disk does."""

import subprocess
import sys
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="this system has no such limits")

VIDEO = """
import numpy as np
from kpdetect.inference.video import overlay_video
noise = np.random.default_rng(0)
with overlay_video(out / "overlay.mp4", 25.0, False) as video:
    for _ in range(40):
        video.add(noise.integers(0, 256, (120, 160, 3), np.uint8))
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
    root = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-c", begin + body + end],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=root,
        check=False,
    )
    return done, sorted(path.name for path in out.iterdir())


def test_a_video_that_does_not_fit_is_not_left_behind_cut(tmp_path):
    done, left = limited(VIDEO, tmp_path / "out", 100_000)
    assert (done.returncode, left) == (2, []), done.stderr
    assert "overlay.mp4" in done.stdout
    done, left = limited(VIDEO, tmp_path / "enough", 100_000_000)
    assert (done.returncode, left) == (0, ["overlay.mp4"]), done.stderr
