"""Recorded steps do what unrecorded ones do; these tests need a CUDA device, but for the last."""

import pytest
import torch

from generator.training.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.data.folder import build_cache
from kpdetect.training.cuda_graphs import StepRecorder
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime
from tests.builders.generators import CONFIG
from tests.builders.runtimes import CPU

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def trainer_on(device, folder, images):
    config = apply_overrides(CONFIG, ["optimiser.r1_every=4", "optimiser.rate_generator=0.0001"])
    runtime = Runtime(device=torch.device(device), compute=torch.float32)
    cache = build_cache(images, folder, 40, "centre", set())
    return GeneratorTrainer(RunFolder(folder, config), cache, config, runtime)


def state_of(trainer):
    networks = {name: trainer.stateful()[name] for name in ("generator", "discriminator", "average")}
    return {f"{kind}.{name}": each for kind, network in networks.items() for name, each in network.named_parameters()}


def moved(now, before):
    """How far each network has gone, as one vector."""
    ways = {name: (now[name] - before[name]).detach().flatten() for name in now}
    kinds = {name.split(".")[0] for name in ways}
    return {kind: torch.cat([way for name, way in ways.items() if name.startswith(f"{kind}.")]) for kind in kinds}


@pytest.mark.gpu
@needs_cuda
def test_replayed_steps_are_those_of_an_unrecorded_run(blob_folder, tmp_path):
    trainers = [trainer_on("cuda", tmp_path / name, blob_folder) for name in ("replayed", "plain")]
    trainers[1].recorder = None
    before = [{name: tensor.clone() for name, tensor in state_of(trainer).items()} for trainer in trainers]
    for step in range(32):
        lines = []
        for trainer in trainers:
            trainer.step = step
            lines.append(trainer.train_step())
        assert lines[0].keys() == lines[1].keys()
        for name, value in lines[0].items():
            assert float(value) == pytest.approx(float(lines[1][name]), rel=0.02, abs=2e-3), (step, name)
    assert not trainers[0].recorder.given_up
    assert set(trainers[0].recorder.recordings) == {True, False}
    ways = [moved(state_of(trainer), first) for trainer, first in zip(trainers, before, strict=True)]
    for network, way in ways[0].items():
        assert torch.nn.functional.cosine_similarity(way, ways[1][network], dim=0) > 0.95, network
        assert float(way.norm()) == pytest.approx(float(ways[1][network].norm()), rel=0.05), network
    assert not any(group["capturable"] for group in trainers[0].adam_generator.param_groups)


@pytest.mark.gpu
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

    recorder = StepRecorder(work, [adam], ["one"], torch.device("cuda"))
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


@pytest.mark.gpu
@needs_cuda
def test_what_cannot_be_recorded_is_done_unrecorded(capsys):
    def work(given):
        return {"sum": torch.tensor(float(given.sum()), device="cuda")}  # reads a value back

    recorder, stream = StepRecorder(work, [], [0], torch.device("cuda")), torch.cuda.current_stream()
    assert [float(recorder(0, torch.full((2,), float(step), device="cuda"))["sum"]) for step in range(6)] == [0, 2, 4, 6, 8, 10]
    assert recorder.given_up
    assert torch.cuda.current_stream() == stream
    assert "not recorded" in capsys.readouterr().err


def test_nothing_is_recorded_on_a_cpu(blob_folder, tmp_path):
    cache = build_cache(blob_folder, tmp_path, 40, "centre", set())
    assert GeneratorTrainer(RunFolder(tmp_path, CONFIG), cache, CONFIG, CPU).recorder is None
