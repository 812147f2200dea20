"""The library is silent; whoever wants messages or progress listens."""

import subprocess
import sys

from kpdetect import console
from kpdetect.messages import log, warn_of_skipped
from kpdetect.progress import Progress, Status, listening


def test_progress_is_told_to_the_listener_and_to_nobody_else():
    seen: list[Status] = []
    with listening(seen.append), Progress(4, "draw", unit="pairs", start=1) as progress:
        progress.update(1, loss=0.5)
        progress.update(2)
    Progress(3, "unheard").update(1)
    assert [(each.done, each.total, each.ended) for each in seen] == [(2, 4, False), (4, 4, False), (4, 4, True)]
    assert seen[0].values == {"loss": 0.5}
    assert seen[1].remaining == 0.0


def test_no_work_ends_without_a_status():
    seen: list[Status] = []
    with listening(seen.append), Progress(4, "draw", start=4):
        pass
    assert seen == []


def test_lines_name_rate_and_time_left():
    status = Status(
        label="draw", unit="pairs", done=1500, total=4000, rate=2.0, remaining=3725.4, ended=False, values={"loss": 0.25}
    )
    assert console.line(status) == "draw: 1,500/4,000 pairs  2.0 pairs/s  ETA 1:02:05  loss 0.25"
    status = Status(label="draw", unit="pairs", done=7, total=None, rate=2.0, remaining=None, ended=True)
    assert console.line(status) == "draw: 7 pairs  2.0 pairs/s  no limit"


def test_plain_lines_come_now_and_then(capsys):
    line = console.ProgressLine(pause=1e9)
    for done in (1, 2):
        line(Status(label="a", unit="images", done=done, total=2, rate=1.0, remaining=0.0, ended=False))
    line(Status(label="a", unit="images", done=2, total=2, rate=1.0, remaining=0.0, ended=True))
    assert capsys.readouterr().err == "a: 2/2 images  1.0 images/s  ETA 0:00:00\n"


def test_warnings_name_the_first_reasons(capsys):
    warn_of_skipped("images", [f"{name}.png: damaged" for name in "abcdefg"])
    log.info("a fact")
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["warning: skipped 7 images:", "  a.png: damaged"]
    assert lines[-2:] == ["  and 2 more", "a fact"]
    assert len(lines) == 8


def test_the_library_alone_prints_nothing():
    code = (
        "from kpdetect.messages import log; from kpdetect.progress import Progress\n"
        "log.warning('unheard')\nwith Progress(2, 'draw') as bar: bar.update(2)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""


def test_other_programs_hear_it_through_logging():
    code = "import logging; logging.basicConfig(level=logging.INFO); from kpdetect.messages import log; log.info('heard')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "INFO:kpdetect:heard\n"
