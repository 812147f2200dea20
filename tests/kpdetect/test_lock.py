"""One writer per folder: refused in one line, gone with its process, not held by children."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from kpdetect.cli import main
from kpdetect.cli.folder_lock import writing_alone
from kpdetect.errors import OutputError
from kpdetect.files.atomic import write_text
from kpdetect.files.lock import LOCK, require_unlocked, writing_into
from kpdetect.toy.dataset import write_toy

pytest.importorskip("fcntl", reason="this system has no such locks")
ROOT = str(Path(__file__).resolve().parents[2])
HOLD = """
import os, sys, time
from pathlib import Path
from kpdetect.files.lock import writing_into
with writing_into(Path(sys.argv[1])):
    if len(sys.argv) > 2 and os.fork() == 0:
        print("child", os.getpid(), flush=True)
        time.sleep(60)
        os._exit(0)
    elif len(sys.argv) == 2:
        print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Starts a process that holds the lock of `tmp_path`/out; gives it and what it said."""
    started = []

    def start(*more):
        command = [sys.executable, "-c", HOLD, str(tmp_path / "out"), *more]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        started.append(process)
        return process, process.stdout.readline().split()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def holding(folder):
    """A process that holds a folder's lock."""
    words = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def refused(capsys, monkeypatch, *words):
    """The one line of a command that is refused."""
    monkeypatch.setattr(sys, "argv", ["kpdetect", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_a_second_writer_is_refused_and_told_of_the_first(holder, tmp_path, capsys, monkeypatch):
    process, _ = holder()
    line = refused(capsys, monkeypatch, "toy", "--count", 1, "--out", tmp_path / "out")
    assert f"process {process.pid} (-c {tmp_path / 'out'}, since " in line
    assert [path.name for path in (tmp_path / "out").iterdir()] == [LOCK]
    process.kill()
    process.wait()
    main.app(["toy", "--count", "1", "--size", "16", "--out", str(tmp_path / "out")], standalone_mode=False)
    assert (tmp_path / "out" / "toy.json").exists()
    assert not (tmp_path / "out" / LOCK).exists()


def test_a_child_does_not_hold_the_lock_of_its_parent(holder, tmp_path):
    process, (_, child) = holder("fork")
    process.kill()
    process.wait()
    try:
        with writing_into(tmp_path / "out"):
            os.kill(int(child), 0)  # still there
    finally:
        os.kill(int(child), signal.SIGKILL)


def test_a_process_may_ask_again_and_leaves_no_folder_without_content(tmp_path):
    out = tmp_path / "new" / "out"
    with writing_into(out):
        with writing_into(out):
            require_unlocked(out)
        assert (out / LOCK).exists()
    assert list(tmp_path.iterdir()) == []
    with writing_into(out):
        write_text(out / "result.txt", "1")
    assert [path.name for path in out.iterdir()] == ["result.txt"]


def test_other_processes_of_torchrun_are_let_in(holder, tmp_path, monkeypatch):
    holder()
    with pytest.raises(OutputError, match="is writing there"), writing_into(tmp_path / "out"):
        pass
    monkeypatch.setenv("RANK", "1")
    with writing_into(tmp_path / "out"):
        pass


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path):
    code = "import os, sys; from pathlib import Path; from kpdetect.files.temporary import temporary_name\n"
    code += "temporary_name(Path(sys.argv[1])).write_text('half')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.txt")], check=True, cwd=ROOT)
    (left,) = tmp_path.iterdir()
    live = tmp_path / left.name.replace(left.name.split("-")[2], str(os.getppid()))
    mine = tmp_path / "mine.part"
    for path in (live, mine):
        path.write_text("half")
    write_text(tmp_path / "a.txt", "whole")
    assert sorted(tmp_path.iterdir()) == sorted([live, mine, tmp_path / "a.txt"])


@pytest.mark.parametrize("held", ["out/detector", "out"])
def test_labels_are_not_changed_while_the_detector_trains(small_project, held, tmp_path, capsys, monkeypatch):
    small_project.rename(tmp_path / "out")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / held)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as first:
        first.stdout.readline()
        line = refused(capsys, monkeypatch, "label", tmp_path / "out", "--name", "0=tip")
        assert f"process {first.pid}" in line
        assert not (tmp_path / "out" / "detector" / "keypoints.yaml").exists()
        first.kill()
    main.app(["label", str(tmp_path / "out"), "--name", "0=tip"], standalone_mode=False)
    assert (tmp_path / "out" / "detector" / "keypoints.yaml").exists()
    assert not (tmp_path / "out" / "detector" / LOCK).exists()


def test_a_benchmark_without_out_is_alone_in_the_folder_of_results(small_project, tmp_path, capsys, monkeypatch):
    write_toy(tmp_path / "toy", 5, size=16)
    with holding(small_project / "results") as first:
        for more in ((), ("--cross-validate",)):
            words = ("benchmark", "toy", "--model", small_project, "--data", tmp_path / "toy", *more)
            assert f"process {first.pid}" in refused(capsys, monkeypatch, *words)


def test_a_round_of_a_project_is_one_of_its_stages(tmp_path):
    (tmp_path / "out" / "taught-2").mkdir(parents=True)
    for held, wanted in (("out", "out/taught-2"), ("out/taught-2", "out")):
        refusal = pytest.raises(OutputError, match="is writing there")
        with holding(tmp_path / held), refusal, writing_alone(tmp_path / wanted):
            pass
