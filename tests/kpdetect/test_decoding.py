import os
import struct
import threading

import numpy as np
import pytest
from PIL import Image as Pillow

from kpdetect.data.folder import content_key
from kpdetect.errors import InputError
from kpdetect.images import decoding
from kpdetect.images.image_files import SUFFIXES, read_image
from kpdetect.images.levels import VARIABLE, parse_levels, to_eight_bits, use_levels
from kpdetect.inference.page_reader import PageReader

GREY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10 + 1  # H != W; 1 to 231


@pytest.fixture(autouse=True)
def automatic(monkeypatch):
    monkeypatch.setenv(VARIABLE, "auto")


def grey_of(path) -> np.ndarray:
    image = read_image(path)
    assert (image == image[..., :1]).all()
    return image[..., 0]


def save_tiff(path, values, **tags) -> None:
    Pillow.fromarray(values).save(path, tiffinfo={int(tag[1:]): value for tag, value in tags.items()})


def test_integers_of_any_width_show_the_same_picture(tmp_path):
    save_tiff(tmp_path / "8in32.tif", GREY.astype(np.int32))
    save_tiff(tmp_path / "16.tif", GREY.astype(np.uint16) * 257)
    save_tiff(tmp_path / "white0.tif", 65535 - GREY.astype(np.uint16) * 257, _262=0)
    save_tiff(tmp_path / "12in16.tif", GREY.astype(np.uint16) * 16)
    save_tiff(tmp_path / "32.tif", (GREY.astype(np.uint32) * 0x01010101).view(np.int32))
    signed, unsigned = (struct.pack("<HHII", 339, 3, 1, kind) for kind in (2, 1))  # Pillow writes signed integers alone
    content = (tmp_path / "32.tif").read_bytes()
    assert signed in content
    (tmp_path / "32.tif").write_bytes(content.replace(signed, unsigned))
    for name in ("8in32", "16", "white0", "32"):
        np.testing.assert_array_equal(grey_of(tmp_path / f"{name}.tif"), GREY, err_msg=name)
    assert np.abs(grey_of(tmp_path / "12in16.tif").astype(int) - GREY).max() <= 1


@pytest.mark.parametrize(
    ("levels", "expected"), [("auto", [0, 64, 255, 255]), ("full", [0, 4, 16, 16]), ("1024,3072", [0, 0, 255, 255])]
)
def test_levels_say_what_is_black_and_white(tmp_path, levels, expected):
    save_tiff(tmp_path / "a.tif", np.array([[0, 1024, 4095, 4095]], np.uint16))
    use_levels(levels)
    np.testing.assert_array_equal(grey_of(tmp_path / "a.tif"), [expected])


def test_levels_make_floating_point_readable_and_leave_8_bits_alone(tmp_path):
    save_tiff(tmp_path / "float.tif", np.array([[0.0, 0.5, 1.0], [np.nan, 2.0, -1.0]], np.float32))
    with pytest.raises(InputError, match="give `levels=LOW,HIGH`"):
        read_image(tmp_path / "float.tif")
    use_levels("0,1")
    np.testing.assert_array_equal(grey_of(tmp_path / "float.tif"), [[0, 128, 255], [0, 255, 0]])
    Pillow.fromarray(GREY).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(grey_of(tmp_path / "grey.png"), GREY)


@pytest.mark.parametrize("text", ["", "12", "4095,0", "0,inf", "a,b", "0,1,2"])
def test_levels_that_are_none_are_refused(text):
    with pytest.raises(InputError, match="`levels="):
        parse_levels(text)


def test_images_read_by_other_levels_are_other_images():
    auto = content_key(["a.tif"], ["0"], 64, "centre")
    use_levels("0,4095.0")
    assert content_key(["a.tif"], ["0"], 64, "centre") != auto
    assert os.environ[VARIABLE] == "0,4095"


def test_jfif_and_avif_are_images(tmp_path):
    assert {".jfif", ".avif", ".heic", ".heif"} <= SUFFIXES
    Pillow.fromarray(np.dstack([GREY] * 3)).save(tmp_path / "a.jfif")
    Pillow.fromarray(np.full((32, 48, 3), (200, 30, 90), np.uint8)).save(tmp_path / "a.avif")
    assert read_image(tmp_path / "a.jfif").shape == (4, 6, 3)
    assert np.abs(read_image(tmp_path / "a.avif").astype(int) - (200, 30, 90)).max() < 12


def test_heic_names_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(InputError, match=r"a.heic: .*pip install 'kpdetect\[heic\]'"):
        read_image(tmp_path / "a.heic")


def test_a_stack_is_no_single_image(tmp_path):
    first, second = (Pillow.fromarray(GREY + number) for number in (0, 1))
    first.save(tmp_path / "stack.tif", save_all=True, append_images=[second])
    with pytest.raises(InputError, match="stack.tif: this file has 2 pages"):
        read_image(tmp_path / "stack.tif")
    frames = list(PageReader(tmp_path / "stack.tif").frames())
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.image[..., 1], GREY + number)
    assert len(frames) == 2


def test_a_stack_of_floating_point_pages_says_what_it_needs(tmp_path):
    pages = [Pillow.fromarray(np.full((20, 30), value, np.float32)) for value in (0.25, 0.5)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match=r"stack.tif: .*`levels=LOW,HIGH`"):
        list(PageReader(tmp_path / "stack.tif").frames())


@pytest.mark.parametrize("error", [RuntimeError("odd"), IndexError(), KeyError("x"), MemoryError(), ZeroDivisionError("y")])
def test_whatever_a_decoder_raises_is_the_images_fault(tmp_path, monkeypatch, error):
    Pillow.fromarray(GREY).save(tmp_path / "a.png")

    def fail(*_):
        raise error

    monkeypatch.setattr(Pillow.Image, "load", fail)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(InputError, match="a.png: not a readable image"):
        read_image(tmp_path / "a.png")


def test_a_damaged_avif_is_refused(tmp_path):
    Pillow.fromarray(np.full((32, 48, 3), 90, np.uint8)).save(tmp_path / "a.avif")
    content = bytearray((tmp_path / "a.avif").read_bytes())
    for place in range(len(content) - 40, len(content)):
        content[place] = 0xFF
    (tmp_path / "a.avif").write_bytes(content)
    with pytest.raises(InputError, match="a.avif: not a readable image"):
        read_image(tmp_path / "a.avif")


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    faults = []

    def read():
        try:
            read_image(tmp_path / "a.png")
        except InputError as error:
            faults.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert "a.png: not a file" in faults[0]


def test_too_many_pixels_are_refused_from_the_header(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 23)
    Pillow.fromarray(GREY).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="6 x 4 pixels, but the limit is 23"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["uint16", ">u2", "int16", "uint8", "uint32", "float32"])
def test_levels_of_every_type_follow_the_same_formula(kind, monkeypatch):
    monkeypatch.setattr("kpdetect.images.levels.BLOCK", 7)
    monkeypatch.setenv(VARIABLE, "-100,40000")
    least, most = (np.iinfo(kind).min, np.iinfo(kind).max) if np.dtype(kind).kind in "ui" else (-1e5, 1e5)
    values = np.random.default_rng(0).integers(int(least), int(most), (5, 6), np.int64, endpoint=True).astype(kind)[:, ::2]
    expected = np.clip((values.astype(np.float64) + 100) * (255 / 40100), 0, 255).round()
    found = to_eight_bits(values, 16, "a.tif")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)
