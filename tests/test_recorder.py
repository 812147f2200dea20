"""Recorded steps do what unrecorded ones do; these tests need a CUDA device, but for the last."""

import pytest
import torch

from generator.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.data.folder import build_cache
from kpdetect.recorder import StepRecorder
from kpdetect.runlog import RunFolder
from kpdetect.runtime import Runtime
from tests.test_train_generator import CONFIG, CPU

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def trainer_on(device, folder, images):
    config = apply_overrides(CONFIG, ["optimiser.r1_every=4", "optimiser.rate_generator=0.0001"])
    runtime = Runtime(device=torch.device(device), compute=torch.float32)
    cache = build_cache(images, folder, 40, "centre", set())
    return GeneratorTrainer(RunFolder(folder, config), cache, config, runtime)


@needs_cuda
def test_replayed_steps_are_those_of_an_unrecorded_run(blob_folder, tmp_path):
    trainers = [trainer_on("cuda", tmp_path / name, blob_folder) for name in ("replayed", "plain")]
    trainers[1].recorder = None
    for step in range(24):
        lines = []
        for trainer in trainers:
            trainer.step = step
            lines.append(trainer.train_step())
        assert lines[0].keys() == lines[1].keys()
        for name, value in lines[0].items():
            assert float(value) == pytest.approx(float(lines[1][name]), rel=0.02, abs=2e-3), (step, name)
    assert not trainers[0].recorder.given_up
    assert set(trainers[0].recorder.recordings) == {True, False}
    for name, tensor in trainers[0].generator.state_dict().items():
        torch.testing.assert_close(tensor, trainers[1].generator.state_dict()[name], rtol=0.02, atol=2e-3, msg=name)
    assert not any(group["capturable"] for group in trainers[0].adam_generator.param_groups)


@needs_cuda
def test_every_replay_sees_its_own_inputs_and_moves_the_weights():
    weight = torch.nn.Parameter(torch.ones(3, device="cuda"))
    adam = torch.optim.Adam([weight], lr=0.1, fused=True)

    def work(given):
        adam.zero_grad()
        loss = (weight * given).sum()
        loss.backward()
        adam.step()
        return {"loss": loss.detach()}

    recorder = StepRecorder(work, [adam])
    seen = [float(recorder("one", torch.full((3,), float(step), device="cuda"))["loss"]) for step in range(1, 9)]
    assert set(recorder.recordings) == {"one"}
    expected, plain = [], torch.nn.Parameter(torch.ones(3))
    reference = torch.optim.Adam([plain], lr=0.1)
    for step in range(1, 9):
        reference.zero_grad()
        loss = (plain * step).sum()
        loss.backward()
        reference.step()
        expected.append(float(loss.detach()))
    assert seen == pytest.approx(expected, rel=1e-4)


@needs_cuda
def test_what_cannot_be_recorded_is_done_unrecorded(capsys):
    def work(given):
        return {"sum": torch.tensor(float(given.sum()), device="cuda")}  # reads a value back

    recorder = StepRecorder(work, [])
    assert [float(recorder(0, torch.full((2,), float(step), device="cuda"))["sum"]) for step in range(6)] == [0, 2, 4, 6, 8, 10]
    assert recorder.given_up
    assert "not recorded" in capsys.readouterr().err


def test_nothing_is_recorded_on_a_cpu(blob_folder, tmp_path):
    cache = build_cache(blob_folder, tmp_path, 40, "centre", set())
    assert GeneratorTrainer(RunFolder(tmp_path, CONFIG), cache, CONFIG, CPU).recorder is None
