"""Requests that name the wrong thing end in one line, before anything is changed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from kpdetect.cli import doctor
from kpdetect.cli.main import app
from kpdetect.config import StrictConfig, write_config
from kpdetect.errors import InputError, OutputError
from kpdetect.images.image_files import write_image
from kpdetect.inference.describe import describe_file


@pytest.mark.parametrize("name", ["sheet.xyz", "sheet"])
def test_an_ending_of_no_image_format_is_refused(tmp_path, name):
    with pytest.raises(OutputError, match=f"{name}: an image cannot be written as .*; use .png or .jpg"):
        write_image(tmp_path / name, np.zeros((4, 4, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_labels_stay_when_the_sheet_cannot_be_written(small_project, blob_folder, tmp_path):
    arguments = ["label", str(small_project), "--name", "0=tip", "--images", str(blob_folder)]
    result = CliRunner().invoke(app, [*arguments, "--sheet", str(tmp_path / "sheet.xyz")])
    assert isinstance(result.exception, OutputError)
    assert not (small_project / "detector" / "keypoints.yaml").exists()


class Listed(StrictConfig):
    """A list of names."""

    names: tuple[str, ...] = ()
    """Names."""


def test_long_values_of_a_configuration_are_written_whole(tmp_path):
    names = tuple(f"name {number}" for number in range(5000))
    write_config(Listed(names=names), tmp_path / "config.yaml")
    assert tuple(yaml.safe_load((tmp_path / "config.yaml").read_text())["names"]) == names


def test_a_folder_of_the_users_own_videos_is_not_described(tmp_path):
    (tmp_path / "videos" / "holiday").mkdir(parents=True)
    with pytest.raises(InputError, match="kpdetect did not write this"):
        list(describe_file(tmp_path))


def test_doctor_checks_what_the_package_requires(monkeypatch):
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={'.'.join(map(str, doctor.OLDEST))}"
    assert {"av", "pillow"} <= doctor.PACKAGES.keys()
    monkeypatch.setattr(sys, "version_info", (3, 10, 14))
    assert doctor._python().remedy == "use Python 3.11 or newer"
