"""Two processes on a CPU (gloo): parameters stay equal, gradients are averaged, one process writes, runs continue."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from generator.training.batch_norm import recalibrate
from generator.training.batches import RealBatches
from generator.training.train import GeneratorTrainer
from kpdetect.data.folder import build_cache
from kpdetect.errors import ConfigError
from kpdetect.training.averaging import update_average
from kpdetect.training.checkpoints import load_checkpoint
from kpdetect.training.distributed import agreed, anywhere, average_gradients, main_first, require_divisible, synchronised
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime
from tests.builders.detectors import dots, write_pairs
from tests.builders.generators import CONFIG
from tests.builders.runtimes import CPU
from tests.builders.states import states_equal

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from pathlib import Path
import torch
from torch import distributed, nn
from generator.training import batch_norm
from generator.training.train import GeneratorTrainer
from kpdetect.detector.train import DetectorTrainer
from kpdetect.training.distributed import agreed, anywhere, average_gradients, joined_runtime, main_first
from tests.builders.detectors import CONFIG as DETECTOR
from tests.builders.generators import JUDGED, Maps
from tests.builders.trainings import fit_detector, fit_generator

batch_norm.BATCHES = 1
trained = []
for kind in (GeneratorTrainer, DetectorTrainer):
    def kept(trainer, *arguments, begin=kind.__init__, **options):
        begin(trainer, *arguments, **options)
        trained.append(trainer)
    kind.__init__ = kept

folder = Path(sys.argv[1])
with joined_runtime("cpu", "float32") as runtime:
    for steps, prefix in ((2, ""), (4, ""), (4, "whole-")):
        generator, detector = (config.model_copy(update={"steps": steps}) for config in (JUDGED, DETECTOR))
        maps = Maps()
        fit_generator(folder / "blobs", folder / f"{prefix}generator", generator, runtime, feature_network=maps)
        fit_detector(folder / "pairs", folder / f"{prefix}detector", detector, runtime)
    for trainer, network in zip(trained, ("generator", "detector") * 3):
        flat = torch.cat([parameter.detach().flatten() for parameter in getattr(trainer, network).parameters()])
        both = [torch.zeros_like(flat) for _ in range(2)]
        distributed.all_gather(both, flat)
        assert torch.equal(*both), network
    judges = [trainer.adversary.feature_discriminator.state_dict() for trainer in trained[::2]]
    for flat in (torch.cat([value.flatten() for value in state.values()]) for state in judges):
        both = [torch.zeros_like(flat) for _ in range(2)]
        distributed.all_gather(both, flat)
        assert torch.equal(*both), "feature discriminator"
    assert [trainer.step for trainer in trained] == [2, 2, 4, 4, 4, 4]
    weight = nn.Parameter(torch.zeros(2, 3))
    weight.grad = torch.full((2, 3), float(runtime.rank + 1))
    average_gradients([weight], runtime)
    assert weight.grad.tolist() == [[1.5] * 3] * 2
    assert agreed(runtime.rank == 0, runtime)
    assert not agreed(runtime.rank == 1, runtime)
    assert anywhere(runtime.rank == 1, runtime)
    assert not anywhere(False, runtime)
    try:
        with main_first(runtime):
            assert runtime.is_main  # the other does not begin
            raise ValueError("refused")
    except (ValueError, SystemExit) as error:
        print(f"process {runtime.rank} ends with {error!r}", flush=True)
    print(f"process {runtime.rank} of {runtime.world} done", flush=True)
"""


def test_two_processes_train_continue_and_stay_equal(blob_folder, tmp_path):
    write_pairs(tmp_path / "pairs", dots(24))
    (tmp_path / "script.py").write_text(SCRIPT)
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(tmp_path / "script.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, check=False, timeout=250)
    assert done.returncode == 0, done.stderr[-3000:]
    assert all(f"process {rank} of 2 done" in done.stdout for rank in range(2))
    assert "process 0 ends with ValueError('refused')" in done.stdout
    assert "process 1 ends with SystemExit(2)" in done.stdout
    for kind in ("generator", "detector"):
        continued, whole = (load_checkpoint(tmp_path / name / "checkpoint.pt", kind) for name in (kind, f"whole-{kind}"))
        assert continued["step"] == 4
        assert states_equal(continued, whole)
        lines = (tmp_path / kind / "metrics.jsonl").read_text().splitlines()
        assert sum('"loss_' in line for line in lines) == 4  # one process writes


def test_batch_normalisation_is_synchronised_on_several_gpus_and_the_average_is_measured_alone(
    blob_folder, tmp_path, monkeypatch
):
    gpus = Runtime(device=torch.device("cuda"), compute=torch.float32, world=2)
    pairs = ((gpus, nn.SyncBatchNorm), (CPU, nn.BatchNorm2d))
    for runtime, expected in pairs:
        assert isinstance(synchronised(nn.Sequential(nn.BatchNorm2d(3)), runtime)[0], expected)
    monkeypatch.setattr("generator.training.train.synchronised", lambda module, runtime: synchronised(module, gpus))
    cache = build_cache(blob_folder, tmp_path, 40, "centre", set())
    trainer = GeneratorTrainer(RunFolder(tmp_path / "run", CONFIG), cache, CONFIG, CPU)
    assert any(isinstance(layer, nn.SyncBatchNorm) for layer in trainer.generator.modules())
    update_average(trainer.average, trainer.generator, 0.5, 1)
    before = {name: tensor.clone() for name, tensor in trainer.average.named_buffers() if name.endswith("running_var")}
    recalibrate(trainer.average, 0)
    assert before
    assert all(not torch.equal(trainer.average.get_buffer(name), tensor) for name, tensor in before.items())
    trainer.batches.close()


def test_the_parts_of_a_batch_are_the_batch():
    images = torch.arange(10, dtype=torch.uint8)[:, None, None, None].expand(10, 40, 40, 3).numpy()
    whole = RealBatches(images, 32, 4, CONFIG.data, seed=1).at(3)
    parts = [
        RealBatches(images, 32, 4, CONFIG.data, seed=1, runtime=replace(CPU, rank=rank, world=2)).at(3) for rank in range(2)
    ]
    assert torch.equal(torch.stack([parts[0][0], parts[1][0], parts[0][1], parts[1][1]]), whole)


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ConfigError, match="`overrides=optimiser.batch=5`: 2 processes"):
        require_divisible(5, Runtime(device=torch.device("cpu"), compute=torch.float32, world=2), "optimiser.batch")


def test_alone_nothing_is_averaged_or_asked():
    weight = torch.nn.Parameter(torch.zeros(2))
    weight.grad = torch.ones(2)
    average_gradients([weight], CPU)
    assert weight.grad.tolist() == [1, 1]
    assert agreed(True, CPU)
    assert not agreed(False, CPU)
    assert anywhere(True, CPU)
    assert not anywhere(False, CPU)
    with main_first(CPU):
        pass
