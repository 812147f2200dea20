import os
import shutil

import cv2
import h5py
import numpy as np
import pytest
from PIL import Image as Pillow

from kpdetect.coords import apply_affine
from kpdetect.data.folder import ImageCache, build_cache
from kpdetect.errors import ConfigError, InputError, OutputError
from kpdetect.files.hashes import file_hash
from kpdetect.images.arrays import fit_image, fit_region
from kpdetect.images.image_files import image_size, list_images, list_names, read_image, read_image_and_hash, write_image
from kpdetect.images.reduced import read_at_least
from tests.builders.blobs import damage


def dotted(height: int, width: int, x: int, y: int) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    cv2.circle(image, (x, y), 3, (255, 255, 255), -1)
    return image


@pytest.mark.parametrize("policy", ["centre", "pad", "stretch"])
@pytest.mark.parametrize(("height", "width"), [(90, 60), (61, 97)])
def test_fitting_moves_pixels_and_points_alike(policy, height, width):
    image = dotted(height, width, 25, 40)
    square, matrix = fit_image(image, 120, policy)
    assert square.shape == (120, 120, 3)
    ys, xs = np.nonzero(square[..., 0] > 127)
    np.testing.assert_allclose(apply_affine(matrix, np.array([25.0, 40.0])), [xs.mean(), ys.mean()], atol=0.6)


def test_exif_rotation_is_honoured(tmp_path):
    stored = dotted(20, 40, 5, 15)
    picture = Pillow.fromarray(stored)
    exif = picture.getexif()
    exif[0x0112] = 6  # to be shown turned a quarter clockwise
    picture.save(tmp_path / "a.png", exif=exif)
    shown = read_image(tmp_path / "a.png")
    assert shown.shape == (40, 20, 3) == (*image_size(tmp_path / "a.png"), 3)
    np.testing.assert_array_equal(shown, np.rot90(stored, k=-1))


def test_grey_alpha_palette_and_16_bit_become_rgb(tmp_path):
    grey = np.full((4, 6), 100, np.uint8)
    Pillow.fromarray(grey).save(tmp_path / "grey.png")
    Pillow.fromarray(np.dstack([grey] * 4)).save(tmp_path / "alpha.png")
    Pillow.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((4, 6), 100 * 257, np.uint16))
    for path in list_images(tmp_path):
        np.testing.assert_array_equal(read_image(path), np.full((4, 6, 3), 100, np.uint8), err_msg=path.name)


def test_cmyk_animated_and_transparent_palette_become_rgb(tmp_path):
    shade = Pillow.new("RGB", (6, 4), (200, 100, 40))
    shade.convert("CMYK").save(tmp_path / "cmyk.tif")
    shade.convert("P", palette=Pillow.Palette.ADAPTIVE).save(tmp_path / "clear.png", transparency=0)
    later = Pillow.new("RGB", (6, 4), (0, 0, 255))
    shade.save(tmp_path / "moving.gif", save_all=True, append_images=[later])
    shade.save(tmp_path / "moving.png", save_all=True, append_images=[later])
    assert len(list_images(tmp_path)) == 4
    for path in list_images(tmp_path):
        np.testing.assert_array_equal(read_image(path), np.tile(np.uint8([200, 100, 40]), (4, 6, 1)), err_msg=path.name)


def test_a_region_beyond_the_image_is_filled_with_its_edge():
    image = np.arange(2 * 3, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)  # rows 0 1 2 and 3 4 5
    square = fit_region(image, (-1.0, -2.0, 4.0, 4.0), 4)
    np.testing.assert_array_equal(square[..., 0], [[0, 0, 1, 2], [0, 0, 1, 2], [0, 0, 1, 2], [3, 3, 4, 5]])


def test_unreadable_images_are_named_with_a_reason(tmp_path):
    for name, reason in damage(tmp_path).items():
        with pytest.raises(InputError, match=reason) as caught:
            read_image(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_floating_point_pixels_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "float.tif"), np.full((4, 6), 0.5, np.float32))
    with pytest.raises(InputError, match=r"float\.tif: not a readable image \(the range of floating-point pixels is unknown"):
        read_image(tmp_path / "float.tif")


def test_partly_transparent_palettes_are_read_without_a_warning(tmp_path):
    picture = Pillow.fromarray(np.tile(np.uint8([200, 100, 40]), (4, 6, 1))).quantize(4)
    picture.save(tmp_path / "clear.png", transparency=bytes([0, 128, 255, 255]))
    np.testing.assert_array_equal(read_image(tmp_path / "clear.png"), np.tile(np.uint8([200, 100, 40]), (4, 6, 1)))


def test_cache_skips_and_lists_unreadable_images(blob_folder, tmp_path, capsys):
    reasons = damage(blob_folder)
    for number in range(7 - len(reasons)):
        (blob_folder / f"torn{number}.png").write_text("no picture")
    cache = build_cache(blob_folder, tmp_path / "cache", 20, "centre", set())
    assert cache.images.shape == (24, 20, 20, 3)
    square, _ = fit_image(read_image(blob_folder / "003.png"), 20, "centre")
    np.testing.assert_array_equal(cache.images[3], square)
    listed = (tmp_path / "cache" / "skipped.csv").read_text()
    assert all(name in listed for name in reasons)
    assert capsys.readouterr().err.splitlines()[-1] == "  and 2 more"
    with pytest.raises(InputError, match=r"cut\.jpg"):
        build_cache(blob_folder, tmp_path / "strict", 20, "centre", set(), strict=True)
    assert not (tmp_path / "strict" / "images.h5").exists()


def test_cache_is_reused_until_the_folder_changes(blob_folder, tmp_path, capsys):
    first = build_cache(blob_folder, tmp_path / "cache", 16, "pad", set())
    changed = (tmp_path / "cache" / "images.h5").stat().st_mtime_ns
    assert build_cache(blob_folder, tmp_path / "cache", 16, "pad", set()).key == first.key
    assert (tmp_path / "cache" / "images.h5").stat().st_mtime_ns == changed
    without = build_cache(blob_folder, tmp_path / "cache", 16, "pad", {"004.png"})
    assert without.key != first.key
    assert len(without) == 23
    assert "004.png" not in (tmp_path / "cache" / "sources.csv").read_text()
    stretched = build_cache(blob_folder, tmp_path / "cache", 16, "stretch", {"004.png"})
    assert stretched.key != without.key


def test_a_cache_is_of_contents_not_of_sizes_and_times(blob_folder, tmp_path, monkeypatch):
    first = build_cache(blob_folder, tmp_path / "cache", 16, "pad", set())
    shutil.copytree(blob_folder, tmp_path / "copy")  # other times, the same contents
    for path in (tmp_path / "copy").iterdir():
        os.utime(path, (1, 1))
    with monkeypatch.context() as patched:
        patched.setattr("kpdetect.data.folder.fit_image", None)  # nothing is decoded again
        copied = build_cache(tmp_path / "copy", tmp_path / "cache", 16, "pad", set(), expected_key=first.key)
        patched.setattr("kpdetect.data.folder.file_hash", None)  # and, the times now known, nothing read
        build_cache(tmp_path / "copy", tmp_path / "cache", 16, "pad", set())
    assert copied.key == first.key
    changed = tmp_path / "copy" / "003.png"
    whole = changed.read_bytes()
    changed.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # as long as before
    with pytest.raises(ConfigError, match="other images"):
        build_cache(tmp_path / "copy", tmp_path / "cache", 16, "pad", set(), expected_key=first.key)
    assert build_cache(tmp_path / "copy", tmp_path / "cache", 16, "pad", set()).key != first.key


def test_a_cache_without_a_stamp_serves_the_run_that_it_was_made_for(blob_folder, tmp_path, monkeypatch):
    build_cache(blob_folder, tmp_path / "cache", 16, "pad", set())
    with h5py.File(tmp_path / "cache" / "images.h5", "r+") as file:
        del file.attrs["stamp"]
        file.attrs["key"] = "older"
    with monkeypatch.context() as patched:
        patched.setattr("kpdetect.data.folder.file_hash", None)  # nothing is read
        assert build_cache(blob_folder, tmp_path / "cache", 16, "pad", set(), expected_key="older").key == "older"
    assert build_cache(blob_folder, tmp_path / "cache", 16, "pad", set()).key != "older"


def test_a_broken_link_is_skipped(blob_folder, tmp_path, capsys):
    (blob_folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert len(build_cache(blob_folder, tmp_path / "cache", 16, "centre", set())) == 24
    assert "gone.png" in (tmp_path / "cache" / "skipped.csv").read_text()


def test_names_are_sorted_folder_by_folder(tmp_path):
    for name in ("b-1/x.png", "b/y.png", "b/.hidden.png", "a.JPG", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_names(tmp_path) == ["a.JPG", "b/y.png", "b-1/x.png"]
    assert list_images(tmp_path) == sorted(list_images(tmp_path))


def test_empty_and_tiny_folders_are_refused(blob_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images found"):
        build_cache(tmp_path / "empty", tmp_path / "c", 16, "centre", set())
    with pytest.raises(InputError, match=r"2 images after leaving out 22; training needs at least 16"):
        build_cache(blob_folder, tmp_path / "c", 16, "centre", {f"{number:03d}.png" for number in range(22)})
    assert not (tmp_path / "c").exists()


def test_writing_leaves_nothing_half_written(tmp_path):
    image = dotted(5, 7, 2, 2)
    write_image(tmp_path / "new" / "a.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), image)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_image(tmp_path / "file" / "a.png", image)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "new"]


def test_cache_survives_being_opened_twice(blob_folder, tmp_path):
    build_cache(blob_folder, tmp_path, 16, "stretch", set())
    one, two = ImageCache(tmp_path / "images.h5"), ImageCache(tmp_path / "images.h5")
    np.testing.assert_array_equal(one.images, two.images)


def test_an_image_is_hashed_as_its_file(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=np.uint8)
    write_image(tmp_path / "a.png", image)
    read, digest = read_image_and_hash(tmp_path / "a.png")
    np.testing.assert_array_equal(read, image)
    assert digest == file_hash(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    for read_it in (read_image, read_image_and_hash):
        with pytest.raises(InputError, match=r"b\.png: not a readable image"):
            read_it(tmp_path / "b.png")
    (tmp_path / "c.png").write_text("no picture")
    with pytest.raises(InputError, match="unknown format"):
        read_image_and_hash(tmp_path / "c.png")


TURNS = {
    1: lambda shown: shown,
    2: np.fliplr,
    3: lambda shown: np.rot90(shown, 2),
    4: np.flipud,
    5: lambda shown: shown.swapaxes(0, 1),
    6: np.rot90,
    7: lambda shown: np.rot90(shown.swapaxes(0, 1), 2),
    8: lambda shown: np.rot90(shown, -1),
}
"""The stored pixels of an image for each EXIF orientation."""


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
@pytest.mark.parametrize("orientation", TURNS)
def test_a_turned_tiff_is_read_as_it_is_shown(tmp_path, orientation, mode, compression):
    shown = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    if mode != "RGB":
        shown[...] = shown[..., :1]
    stored = {"RGB": shown, "L": shown[..., 0], "I;16": 257 * shown[..., 0].astype(np.uint16)}[mode]
    path = tmp_path / "a.tif"
    turned = np.ascontiguousarray(TURNS[orientation](stored))
    Pillow.fromarray(turned).save(path, compression=compression, tiffinfo={0x0112: orientation})
    np.testing.assert_array_equal(read_image(path), shown)
    np.testing.assert_array_equal(read_image_and_hash(path)[0], shown)
    assert image_size(path) == (30, 40)
    reduced = read_at_least(path, 10)
    assert (reduced.factor, reduced.size, reduced.origin) == (1, (30, 40), (0, 0))
    np.testing.assert_array_equal(reduced.pixels, shown)
