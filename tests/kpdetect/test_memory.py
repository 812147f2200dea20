import errno

import cv2
import numpy as np
import pytest

from kpdetect.cli import main as cli
from kpdetect.errors import InputError
from kpdetect.images.arrays import fit_image


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        cv2.error("OpenCV(4.10) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)  # fmt: skip
def test_full_memory_is_one_line(monkeypatch, capsys, error):
    def fail(**_):
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("error: the memory is full; ")


def test_other_faults_of_the_program_keep_their_traceback(monkeypatch):
    def fail(**_):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(RuntimeError, match="shapes differ"):
        cli.main()


def test_the_square_about_a_line_of_pixels_is_refused():
    line = np.zeros((2, 30_000, 3), np.uint8)
    assert fit_image(line, 32, "centre")[0].shape == (32, 32, 3)
    with pytest.raises(InputError, match="30000 x 30000 pixels around an image of 30000 x 2"):
        fit_image(line, 32, "pad")
