import numpy as np
from PIL import Image as Pillow

from kpdetect.images.image_files import page_count


def test_pages_of_a_stack_are_counted_without_their_thumbnails(tmp_path):
    first, second, small = (Pillow.fromarray(np.full(shape, 9, np.uint8)) for shape in [(20, 30), (20, 30), (5, 7)])
    first.save(tmp_path / "stack.tif", save_all=True, append_images=[second, second])
    first.save(tmp_path / "pyramid.tif", save_all=True, append_images=[small])
    first.save(tmp_path / "one.tif")
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])
    counts = [page_count(tmp_path / name) for name in ("stack.tif", "pyramid.tif", "one.tif", "moving.gif")]
    assert counts == [3, 1, 1, 1]
