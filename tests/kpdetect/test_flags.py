"""Messages of the library name parameters; the command line names its options."""

import sys

import pytest

from kpdetect.cli.flags import as_flags
from kpdetect.cli.main import main

OPTIONS = {"exclude_list": "--exclude-list", "minutes": "--minutes", "set_": "--set"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`exclude_list` a.txt: is empty", "--exclude-list a.txt: is empty"),
        ("`exclude_lists`: is empty", "--exclude-list: is empty"),
        ("`minutes=60`, not `minutes=`", "--minutes 60, not --minutes "),
        ("`set` and `set=a.b=c,d:*`", "--set and --set a.b=c,d:*"),
        ("`kpdetect run` and `other`", "`kpdetect run` and `other`"),
    ],
)
def test_parameters_become_options(text, expected):
    assert as_flags(text, OPTIONS) == expected


def test_the_command_line_names_its_options(monkeypatch, capsys, tmp_path):
    """An edit of the library's own checks, by a verb that has the option."""
    command = ["kpdetect", "edit", "toy-32", "--out", str(tmp_path / "out"), "--move", "1"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stopped:
        main()
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert "--move 1" in error
    assert "`" not in error
