import numpy as np
import pytest
from PIL import Image as Pillow

from kpdetect.errors import InputError
from kpdetect.images import decoding
from kpdetect.images.decoding import opened, pages, require_single
from kpdetect.inference.page_reader import PageReader
from kpdetect.inference.sources import stacked


def test_pages_of_a_stack_are_counted_without_their_thumbnails(tmp_path):
    first, second, small = (Pillow.fromarray(np.full(shape, 9, np.uint8)) for shape in [(20, 30), (20, 30), (5, 7)])
    first.save(tmp_path / "stack.tif", save_all=True, append_images=[second, second])
    first.save(tmp_path / "pyramid.tif", save_all=True, append_images=[small])
    first.save(tmp_path / "one.tif")
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])
    for name, count in (("stack.tif", 3), ("pyramid.tif", 1), ("one.tif", 1), ("moving.gif", 1)):
        with opened(tmp_path / name) as picture:
            assert len(pages(picture)) == count, name


def stack(path, *shapes, reduced=()):
    """A TIFF file of pages of these (height, width). Page i has the grey level 10 i."""
    first, *others = (Pillow.fromarray(np.full(shape, 10 * number, np.uint8)) for number, shape in enumerate(shapes))
    for number in reduced:
        others[number - 1].encoderinfo = {"tiffinfo": {decoding.REDUCED_PAGE: 1}}
    first.save(path, save_all=True, append_images=others)
    return path


def test_pages_of_another_size_are_pages(tmp_path):
    path = stack(tmp_path / "s.tif", (200, 300), (200, 300), (150, 300), (400, 600), (100, 180), (300, 200), (200, 300))
    assert stacked(path) == tuple(range(7))
    with PageReader(path) as reader:
        frames = list(reader.frames())
        assert reader.shortfall() == ""
    assert [frame.number for frame in frames] == list(range(7))
    assert [frame.image[0, 0, 0] for frame in frames] == [0, 10, 20, 30, 40, 50, 60]
    assert [frame.image.shape[:2] for frame in frames[2:5]] == [(150, 300), (400, 600), (100, 180)]
    two = stack(tmp_path / "two.tif", (20, 30), (50, 40))
    with opened(two) as picture, pytest.raises(InputError, match="this file has 2 pages, expected one"):
        require_single(picture, two)


def test_reduced_copies_are_no_pages(tmp_path):
    unmarked = stack(tmp_path / "u.tif", (777, 1000), (388, 500), (194, 250), (97, 125), (48, 62), (24, 31), (12, 15))
    marked = stack(tmp_path / "m.tif", (200, 300), (200, 200), (200, 300), reduced=[1])
    with opened(unmarked) as picture:
        assert pages(picture) == [0]
    with opened(marked) as picture:
        assert pages(picture) == [0, 2]


def test_pages_of_too_many_pixels_are_refused(tmp_path, monkeypatch):
    path = stack(tmp_path / "s.tif", (20, 30), (200, 301))
    monkeypatch.setattr(decoding, "MAX_PIXELS", 60_000)
    with pytest.raises(InputError, match=r"s\.tif: not a readable image \(page 2 has 301 x 200 pixels, the limit is 60,000"):
        PageReader(path)


def test_an_animated_webp_has_times(tmp_path):
    first, *others = (Pillow.fromarray(np.full((40, 60, 3), 50 * number, np.uint8)) for number in range(4))
    path = tmp_path / "film.webp"
    first.save(path, save_all=True, append_images=others, duration=[40, 100, 60, 40], lossless=True)
    for stride in (1, 2):
        with PageReader(path) as reader:
            frames = list(reader.frames(stride=stride))
        assert [frame.image[5, 5, 0] for frame in frames] == [0, 50, 100, 150][::stride]
        np.testing.assert_allclose([frame.seconds for frame in frames], [0, 0.04, 0.14, 0.2][::stride])
