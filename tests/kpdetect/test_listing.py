"""Folders are listed once, without results of this project, and what is left out is said."""

from __future__ import annotations

import logging
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from kpdetect.data.folder import build_cache, select_images
from kpdetect.errors import InputError, OutputError
from kpdetect.files.listing import is_written, list_files
from kpdetect.files.name_table import NameTable
from kpdetect.images.image_files import list_images, list_names, write_image
from kpdetect.inference.crop import crop_images
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.sources import find_sources

GREY = np.full((20, 24, 3), 128, np.uint8)


def pictures(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / name, GREY + np.uint8(number))
    return folder


def test_loops_and_links_give_each_file_once_by_its_name_without_a_link(tmp_path):
    images = pictures(tmp_path / "images", "a.png", "z/b.png")
    pictures(tmp_path / "other", "c.png")
    (images / "loop").symlink_to(".")
    (images / "z" / "up").symlink_to("..")
    (images / "again").symlink_to("z")
    (images / "linked").symlink_to(tmp_path / "other")
    (images / "above").symlink_to(tmp_path)
    (images / "self").symlink_to("self")
    (images / "gone.png").symlink_to("nowhere.png")
    found, left_out = list_files(images, {".png"})
    assert found == ["a.png", "gone.png", "linked/c.png", "z/b.png"]
    assert left_out.above == ["above"]
    names = ["a.png", "linked/c.png", "z/b.png"]
    (images / "gone.png").unlink()
    assert find_sources([str(images / "**" / "*.png")]).names == names
    assert find_sources([str(images), str(tmp_path / "other")]).images == [
        images / "a.png",
        images / "z" / "b.png",
        tmp_path / "other" / "c.png",
    ]


def test_one_line_says_what_kinds_of_files_were_left_out(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    pictures(tmp_path, "a.png")
    for name in ("b.xyz", "c.XYZ", "d.psd", "e", "f.csv", "g.json", "Thumbs.db", ".hidden.xyz"):
        (tmp_path / name).touch()
    assert list_names(tmp_path) == ["a.png"]
    assert list_names(tmp_path) == ["a.png"]
    line = f"{tmp_path}: left out 4 files that are no images kpdetect reads: 2 .xyz, 1 .psd, 1 without ending"
    assert [record.message for record in caplog.records] == [line]
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"no images found.*left out 4 files that are no images.*2 \.xyz"):
        list_names(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipes_are_never_opened(tmp_path):
    pictures(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    found, left_out = list_files(tmp_path, {".png"})
    assert (found, left_out.special) == (["a.png"], 1)
    assert find_sources([str(tmp_path / "*.png")]).names == ["a.png"]
    with pytest.raises(InputError, match="named pipe"):
        find_sources([str(tmp_path / "b.png")])


def test_results_inside_the_folder_of_images_are_no_images(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    images = pictures(tmp_path / "images", *(f"{number:02d}.png" for number in range(16)))
    out = images / "runs" / "one"
    for _ in range(2):
        assert len(select_images(images, set(), out)) == 16
        pictures(out / "samples", *(f"{number}.png" for number in range(20)))
    assert len(build_cache(images, out, 8, "centre", set())) == 16
    assert len(select_images(images, set())) == 36
    (out / "config.yaml").touch()
    (out / "environment.json").touch()
    assert len(select_images(images, set())) == 16
    assert any("20 files in folders that kpdetect wrote: runs/one" in record.message for record in caplog.records)
    assert len(list_names(out)) == 20  # named by the user
    with pytest.raises(InputError, match="is the folder of the images"):
        list_names(images, images / "runs" / "..")


@pytest.mark.parametrize("pattern", ["", "*", "**/*.png"])
def test_predict_into_its_own_input_folder_finds_the_same_again(tmp_path, pattern):
    images = pictures(tmp_path, "a.png", "b/c.png") if pattern != "*" else pictures(tmp_path, "a.png")
    inputs, out = [str(images / pattern)], images / "out"
    for _ in range(2):
        assert predict_inputs("toy-32", inputs, out).images == (1 if pattern == "*" else 2)
    assert find_sources([str(images)]).images == list_images(images)
    assert is_written([path.name for path in out.iterdir()])
    assert Predictions.read(out).images[0] == "a.png"


def test_crops_inside_their_images_are_no_images_but_can_be_named(tmp_path):
    images = pictures(tmp_path / "images", "a.png", "b/c.png")
    for _ in range(2):
        assert crop_images(images, images / "crops", (0.0, 0.0, 8.0, 6.0)) == {}
    assert list_names(images) == ["a.png", "b/c.png"]
    assert list_names(images / "crops") == ["a.png", "b/c.png"]
    assert find_sources([str(images / "crops")]).names == ["a.png", "b/c.png"]


def test_crops_never_replace_pictures_that_are_none(tmp_path):
    images, own = pictures(tmp_path / "images", "a.png"), pictures(tmp_path / "own", "x.png", "a.png")
    (own / "x.png").unlink()
    before = (own / "a.png").read_bytes()
    with pytest.raises(OutputError, match="not one of the crops"):
        crop_images(images, own, (0.0, 0.0, 8.0, 6.0))
    assert (own / "a.png").read_bytes() == before


def test_names_are_kept_as_one_buffer_and_sorted_as_paths(tmp_path):
    pictures(tmp_path, "b.png", "a/m.png", "a/b/x.png", "a/z.png", "a-b/y.png", "ä.png")
    found, _ = list_files(tmp_path, {".png"})
    assert list(found) == ["a/b/x.png", "a/m.png", "a/z.png", "a-b/y.png", "b.png", "ä.png"]
    assert [found.row(name) for name in (*found, "c.png")] == [0, 1, 2, 3, 4, 5, None]
    assert found[1:3] == ["a/m.png", "a/z.png"]
    assert found[-1] == "ä.png"
    assert found[::-2] == ["ä.png", "a-b/y.png", "a/m.png"]
    assert found != [*found, "c.png"]
    many, _ = NameTable(f"{number:07d}.png" for number in range(50_000)), tracemalloc.start()
    held = NameTable(many)
    assert tracemalloc.get_traced_memory()[0] < 50_000 * 30  # texts in a list take 70 bytes each
    tracemalloc.stop()
    assert held.row("0049999.png") == 49_999
