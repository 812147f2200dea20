"""Ctrl-C while packages are loaded ends the command in one line, with exit code 130."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from kpdetect.training.interrupts import interrupts_end_imports

BEGIN = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.{before})
sys.meta_path.insert(0, Interrupting())
sys.argv = ["kpdetect", "models"] if {name!r} != "torch" else ["kpdetect", "doctor"]
from kpdetect.cli.start import main
main()
"""


def begin(name: str, before: str = "default_int_handler") -> subprocess.CompletedProcess[str]:
    code = BEGIN.format(name=name, before=before)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
@pytest.mark.parametrize("name", ["kpdetect.training.interrupts", "kpdetect.cli.main", "typer", "torch"])
def test_ctrl_c_during_an_import_is_one_line(name):
    done = begin(name)
    assert done.returncode == 130
    assert done.stderr == "stopped; finished work is saved; run the same command again to continue\n"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_an_ignored_ctrl_c_stays_ignored():
    assert begin("typer", "SIG_IGN").returncode == 0


def test_ctrl_c_at_other_times_is_the_usual_exception():
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts_end_imports():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, previous)
