"""Calls of the command line inside a test."""

from __future__ import annotations

import sys

import pytest

from kpdetect.cli.main import main


def run(*arguments, monkeypatch, capsys):
    """Exit code and standard error of one command, in this process."""
    monkeypatch.setattr(sys, "argv", ["kpdetect", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code, capsys.readouterr().err


@pytest.fixture
def fails(monkeypatch, capsys):
    """A command that must end in exit code 2 and one line."""

    def call(*arguments):
        code, err = run(*arguments, monkeypatch=monkeypatch, capsys=capsys)
        assert code == 2, err
        lines = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, err
        assert err.splitlines()[-1] == lines[0]
        return lines[0]

    return call
