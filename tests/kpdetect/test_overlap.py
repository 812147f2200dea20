"""Threads that overlap: order, bounds, and what happens to an error or to Ctrl-C."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch

from kpdetect.errors import InputError
from kpdetect.images.image_files import write_image
from kpdetect.inference import image_job
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.overlap import Background, in_order, predicting_threads, workers_of
from tests.builders.dots import dots, perfect
from tests.builders.predicted_images import predict_images
from tests.builders.runtimes import CPU


def test_results_keep_the_order_of_items_and_few_are_under_way():
    taken, late = [], threading.Event()

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    def call(number):
        if number == 0:
            assert late.wait(20)  # later items are done before the first
        if number == 2:
            late.set()
        return number * number

    with ThreadPoolExecutor(3) as pool:
        found = []
        for result in in_order(pool, call, items(), 4):
            found.append(result)
            assert len(taken) - len(found) <= 4
    assert found == [number * number for number in range(20)]


def test_an_error_comes_when_its_turn_comes():
    def call(number):
        if number == 2:
            raise InputError("the third")
        return number

    with ThreadPoolExecutor(2) as pool:
        results, found = in_order(pool, call, range(9), 3), []
        with pytest.raises(InputError, match="the third"):
            found.extend(results)
    assert found == [0, 1]


def test_threads_divide_those_of_torch_and_give_them_back():
    before = torch.get_num_threads()
    with predicting_threads(CPU) as pool:
        assert pool.submit(torch.get_num_threads).result() == max(1, before // workers_of(CPU))
    assert torch.get_num_threads() == before


def test_what_nobody_waits_for_is_bounded_ordered_and_given_up_at_an_error():
    done, gate = [], threading.Event()

    def call(number):
        assert gate.wait(20)
        done.append(number)

    with Background(1, 2) as background:
        for number in range(2):
            background.submit(partial(call, number))
        gate.set()
        for number in range(2, 7):
            background.submit(partial(call, number))
    assert done == list(range(7))

    gate, done = threading.Event(), []
    with pytest.raises(KeyboardInterrupt), Background(1, 9) as background:  # noqa: PT012
        for number in range(5):
            background.submit(partial(call, number))
        gate.set()
        raise KeyboardInterrupt
    assert len(done) < 5

    with pytest.raises(InputError, match="full"), Background(1, 9) as background:
        background.submit(partial(_fail, "full"))


def _fail(reason):
    raise InputError(reason)


def test_one_bad_image_costs_itself_only_and_order_stays(tmp_path):
    names = [f"{number:02d}.png" for number in range(30)]
    for number, name in enumerate(names):
        write_image(tmp_path / "in" / name, dots(60, 80, (10 + number, 20), (40, 10 + number)))
    (tmp_path / "in" / names[11]).write_bytes(b"no image")
    paths = [tmp_path / "in" / name for name in names]
    config = PredictConfig(overlays=-1)
    predictions, skipped = predict_images(perfect(), paths, tmp_path / "in", tmp_path / "out", config)
    assert list(skipped) == [names[11]]
    assert predictions.images == names[:11] + names[12:]
    expected = [[[10 + number, 20], [40, 10 + number]] for number in range(30) if number != 11]
    np.testing.assert_allclose(predictions.keypoints_px, expected, atol=0.6)
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == 29
    with pytest.raises(InputError, match=r"11\.png: not a readable image"):
        predict_images(perfect(), paths, tmp_path / "in", tmp_path / "strict", PredictConfig(strict=True, overlays=0))


def test_ctrl_c_ends_the_job_without_predicting_the_rest(tmp_path, monkeypatch):
    for number in range(80):
        write_image(tmp_path / "in" / f"{number:02d}.png", dots(40, 40, (10, 20), (20, 10)))
    begun = []
    whole = image_job._ImageJob._block
    monkeypatch.setattr(image_job._ImageJob, "_block", lambda job, numbers: begun.append(numbers) or whole(job, numbers))
    monkeypatch.setattr(image_job._ImageJob, "_draw", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    paths = sorted((tmp_path / "in").iterdir())
    with pytest.raises(KeyboardInterrupt):
        predict_images(perfect(), paths, tmp_path / "in", tmp_path / "out", PredictConfig())
    assert len(begun) < 10
    assert not (tmp_path / "out" / "predictions.json").exists()
