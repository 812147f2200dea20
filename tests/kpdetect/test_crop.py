"""Boxes cut out of images, to train on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from kpdetect.cli.main import app
from kpdetect.data.folder import MIN_IMAGES, build_cache
from kpdetect.errors import InputError, OutputError
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import read_sources
from kpdetect.images.arrays import cut_region
from kpdetect.images.image_files import read_image, write_image
from kpdetect.inference import crop
from kpdetect.inference.boxes import require_overlap
from kpdetect.inference.crop import crop_images


@pytest.fixture
def images(tmp_path):
    """Pictures of 30x20 pixels whose red is x and whose green is y."""
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[..., 2], picture[..., 1] = np.arange(30), np.arange(20)[:, None]
    (tmp_path / "images" / "sub").mkdir(parents=True)
    for number in range(MIN_IMAGES):
        picture[..., 0] = number
        cv2.imwrite(str(tmp_path / "images" / ("sub" if number % 2 else "") / f"{number}.png"), picture)
    return tmp_path / "images"


def test_a_box_is_cut_and_what_lies_outside_is_the_edge(images, tmp_path):
    assert crop_images(images, tmp_path / "crops", (25.0, 3.0, 10.0, 4.0)) == {}
    crop = read_image(tmp_path / "crops" / "sub" / "1.png")
    assert crop.shape == (4, 10, 3)
    assert crop[0, :, 0].tolist() == [25, 26, 27, 28, 29, 29, 29, 29, 29, 29]
    assert crop[:, 0, 1].tolist() == [3, 4, 5, 6]
    assert (crop[..., 2] == 1).all()


def test_boxes_choose_images_and_training_knows_where_crops_are_from(images, tmp_path):
    boxes = {f"{'sub/' if number % 2 else ''}{number}.png": (0.0, 0.0, 16.0, 16.0) for number in range(MIN_IMAGES)}
    boxes["0.png"] = (40.0, 0.0, 5.0, 5.0)
    skipped = crop_images(images, tmp_path / "crops", boxes, exclude=["1.png"])
    assert list(skipped) == ["0.png"]
    assert "outside" in skipped["0.png"]
    names = {name for name, _ in read_sources(tmp_path / "crops")}
    assert names == set(boxes) - {"0.png", "sub/1.png"}
    with pytest.raises(InputError, match="0.png: its box lies outside"):
        crop_images(images, tmp_path / "strict", boxes, strict=True)
    assert not (tmp_path / "strict").exists()

    crop_images(images, tmp_path / "crops", (0.0, 0.0, 16.0, 16.0))
    (tmp_path / "crops" / "mine.png").write_bytes((images / "0.png").read_bytes())
    with pytest.raises(OutputError, match=r"mine\.png in this folder is not one of the crops"):
        crop_images(images, tmp_path / "crops", boxes)
    (tmp_path / "crops" / "mine.png").unlink()
    build_cache(tmp_path / "crops", tmp_path / "run", 16, "centre", set())
    record = read_sources(tmp_path / "run")
    assert ("sub/1.png", file_hash(images / "sub" / "1.png")) in record  # the original
    assert ("sub/1.png", file_hash(tmp_path / "crops" / "sub" / "1.png")) in record


def test_what_cannot_be_cropped_is_refused(images, tmp_path):
    with pytest.raises(InputError, match="none of its images has a box"):
        crop_images(images, tmp_path / "crops", {"other.png": (0.0, 0.0, 1.0, 1.0)})
    with pytest.raises(InputError, match="is the folder of the images"):
        crop_images(images, images, (0.0, 0.0, 5.0, 5.0))
    (images / "0.jpg").write_bytes((images / "0.png").read_bytes())
    with pytest.raises(InputError, match=r"images: 0\.jpg and 0\.png would be written as one file, 0\.png; rename"):
        crop_images(images, tmp_path / "crops", (0.0, 0.0, 5.0, 5.0))
    (images / "sub" / "1.tif").write_bytes((images / "0.png").read_bytes())
    with pytest.raises(InputError, match=r"0\.jpg and 0\.png would .* 0\.png \(the first of 2 such cases\); rename"):
        crop_images(images, tmp_path / "crops", (0.0, 0.0, 5.0, 5.0))
    assert not (tmp_path / "crops").exists()
    run = CliRunner().invoke(app, ["crop", str(images), "--out", str(tmp_path / "crops")])
    assert "either --boxes FILE or --box" in str(run.exception)
    bad = CliRunner().invoke(app, ["crop", str(images), "--out", str(tmp_path / "crops"), "--box", "1,2,3"])
    assert "expected left,top,width,height" in str(bad.exception)


def test_what_crops_nothing_leaves_no_new_folder(images, tmp_path):
    outside, new, there = {"0.png": (40.0, 0.0, 5.0, 5.0)}, tmp_path / "a" / "b", tmp_path / "there"
    there.mkdir()
    for strict in (False, True):
        for out in (new, there):
            with pytest.raises(InputError, match="0.png: its box lies outside"):
                crop_images(images, out, outside, strict=strict)
        assert not new.parent.exists()
        assert there.exists()
    new.parent.mkdir()
    with pytest.raises(InputError, match="0.png: its box lies outside"):
        crop_images(images, new, outside)
    assert list(new.parent.iterdir()) == []


def test_crops_of_crops_remember_the_first_images_and_forget_what_is_left_out(images, tmp_path):
    crop_images(images, tmp_path / "once", (0.0, 0.0, 18.0, 18.0))
    crop_images(tmp_path / "once", tmp_path / "twice", (1.0, 1.0, 16.0, 16.0))
    first = {name: file_hash(images / name) for name in ("2.png", "sub/1.png")}
    assert set(first.items()) <= set(read_sources(tmp_path / "twice"))
    crop_images(tmp_path / "once", tmp_path / "fewer", (1.0, 1.0, 16.0, 16.0), exclude=["2.png"])
    assert ("2.png", first["2.png"]) not in read_sources(tmp_path / "fewer")
    assert ("sub/1.png", first["sub/1.png"]) in read_sources(tmp_path / "fewer")
    (tmp_path / "more").mkdir()
    (tmp_path / "twice").rename(tmp_path / "more" / "twice")
    for number in range(MIN_IMAGES):
        cv2.imwrite(str(tmp_path / "more" / f"x{number}.png"), np.full((20, 30, 3), 100 + number, np.uint8))
    build_cache(tmp_path / "more", tmp_path / "run", 16, "centre", {"twice/2.png"})
    record = read_sources(tmp_path / "run")
    assert ("sub/1.png", first["sub/1.png"]) in record
    assert ("2.png", first["2.png"]) not in record


def test_a_broken_link_is_skipped(images, tmp_path):
    (images / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert list(crop_images(images, tmp_path / "crops", (0.0, 0.0, 5.0, 5.0))) == ["gone.png"]
    assert "gone.png" not in {name for name, _ in read_sources(tmp_path / "crops")}


def test_edges_of_boxes_are_rounded_alike(images, tmp_path):
    crop_images(images, tmp_path / "crops", (1.5, 0.5, 9.0, 7.0))
    assert read_image(tmp_path / "crops" / "0.png").shape == (7, 9, 3)


def test_boxes_may_barely_touch_their_image_and_are_filled_by_its_edge(tmp_path):
    boxes = {"a": (0.0, 0.0, 1.0, 5.0), "b": (0.6, -4.6, 3.0, 5.0), "c": (1.0, 0.0, 1.0, 5.0), "d": (0.0, -5.0, 1.0, 5.0)}
    for name in ("a", "b"):
        assert require_overlap(boxes, name, (5, 1)) == boxes[name]
    for name in ("c", "d"):
        with pytest.raises(InputError, match="outside the image of 1 x 5 pixels"):
            require_overlap(boxes, name, (5, 1))
    column = np.arange(5, dtype=np.uint8)[:, None, None].repeat(3, axis=2)
    write_image(tmp_path / "images" / "b.png", column)
    crop_images(tmp_path / "images", tmp_path / "crops", {"b.png": boxes["b"]})  # rounds to beside and above the image
    assert read_image(tmp_path / "crops" / "b.png")[..., 0].tolist() == [[0] * 3] * 5
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1).repeat(3, axis=2)
    assert cut_region(image, (2, -1, 4, 3))[..., 0].tolist() == [[2, 3, 3, 3], [2, 3, 3, 3], [6, 7, 7, 7]]
    assert cut_region(image, (-9, 5, 2, 2))[..., 0].tolist() == [[8, 8], [8, 8]]


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("strict", [False, True])
def test_boxes_that_do_not_fit_leave_earlier_crops(images, tmp_path, strict):
    out, inside, outside = tmp_path / "crops", (0.0, 0.0, 8.0, 8.0), (40.0, 0.0, 5.0, 5.0)
    crop_images(images, out, inside)
    before = contents(out)
    boxes = {"0.png": (2.0, 2.0, 5.0, 5.0), "sub/1.png": outside} if strict else outside
    with pytest.raises(
        InputError, match=r"1\.png: its box lies outside" if strict else "no image could be cropped; the first one: 0"
    ):
        crop_images(images, out, boxes, strict=strict)
    assert contents(out) == before


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt])
def test_no_earlier_crop_stays_among_new_ones_when_a_call_fails(images, tmp_path, monkeypatch, error):
    out = tmp_path / "crops"
    crop_images(images, out, (0.0, 0.0, 8.0, 8.0))

    def read(path):
        if path.name == "4.png":
            raise error("damaged")
        return read_image(path)

    with monkeypatch.context() as patch:
        patch.setattr(crop, "read_image", read)
        with pytest.raises(error):
            crop_images(images, out, (0.0, 0.0, 5.0, 5.0), strict=True)
    left = list(out.rglob("*.png"))
    assert len(left) < MIN_IMAGES
    assert {read_image(path).shape for path in left} <= {(5, 5, 3)}
    crop_images(images, out, (0.0, 0.0, 5.0, 5.0))
    assert len(list(out.rglob("*.png"))) == MIN_IMAGES


def test_a_picture_put_into_the_crops_is_not_replaced(images, tmp_path):
    out = tmp_path / "crops"
    crop_images(images, out, {"0.png": (0.0, 0.0, 8.0, 8.0)})
    (out / "2.png").write_bytes(b"mine")
    before = contents(out)
    with pytest.raises(OutputError, match=r"2\.png: this file exists, and no such command wrote it"):
        crop_images(images, out, (0.0, 0.0, 5.0, 5.0))
    assert contents(out) == before
