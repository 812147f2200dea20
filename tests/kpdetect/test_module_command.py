"""The error line and the exit code of `python -m MODULE`."""

import pytest

from kpdetect.errors import InputError
from kpdetect.messages import log
from kpdetect.module_command import exit_code, module_parser


def refuse() -> None:
    log.warning("three images are left out")
    raise InputError("photos: no images; give another folder")


def stop() -> None:
    raise KeyboardInterrupt


def test_a_command_shows_messages_and_one_line_for_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: None) == 0
    assert exit_code(lambda: 1) == 1
    assert exit_code(stop) == 130
    assert capsys.readouterr().err == ""
    assert exit_code(refuse) == 2
    *messages, error = capsys.readouterr().err.splitlines()
    assert set(messages) == {"warning: three images are left out"}
    assert error == "error: photos: no images; give another folder"
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: 1 // 0)  # a fault of the program keeps its traceback


def test_the_help_keeps_the_lines_of_the_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        module_parser("benchmarks.speed", "Measure.\n\n    one  1\n    two  2\n").parse_args(["--help"])
    assert "usage: python -m benchmarks.speed" in (out := capsys.readouterr().out)
    assert "    one  1\n    two  2\n" in out
