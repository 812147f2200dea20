import numpy as np
from PIL import Image as Pillow

from kpdetect.images.decoding import opened, pages


def test_pages_of_a_stack_are_counted_without_their_thumbnails(tmp_path):
    first, second, small = (Pillow.fromarray(np.full(shape, 9, np.uint8)) for shape in [(20, 30), (20, 30), (5, 7)])
    first.save(tmp_path / "stack.tif", save_all=True, append_images=[second, second])
    first.save(tmp_path / "pyramid.tif", save_all=True, append_images=[small])
    first.save(tmp_path / "one.tif")
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])
    for name, count in (("stack.tif", 3), ("pyramid.tif", 1), ("one.tif", 1), ("moving.gif", 1)):
        with opened(tmp_path / name) as picture:
            assert len(pages(picture)) == count, name
