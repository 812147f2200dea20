"""Commands that several processes do together: bit-equal to one process, killed and started again, and refused in one line."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from kpdetect.data.shard_folder import ShardFolder
from kpdetect.errors import InputError
from kpdetect.files.atomic import read_json
from kpdetect.inference import image_job, image_parts
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.crop import crop_images
from kpdetect.inference.image_parts import FOLDER
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.pseudo_labels import write_pseudo_pairs
from kpdetect.toy.dataset import write_toy
from kpdetect.training.checkpoints import read_model_description
from kpdetect.training.processes import ALONE, Peers
from tests.builders.dots import write_video
from tests.builders.peers import together

ROOT = Path(__file__).parents[2]

SCRIPT = """
import os, signal, sys
from pathlib import Path
from kpdetect.cli.main import main
from kpdetect.inference import image_parts

folder = Path(sys.argv[1])
image_parts.SMALLEST, killed, write = 32, folder / "killed", image_parts.Parts.write

def write_and_die(parts, span, part):
    write(parts, span, part)
    killed.touch()
    os.kill(os.getpid(), signal.SIGKILL)

if os.environ["RANK"] == "1" and not killed.exists():
    image_parts.Parts.write = write_and_die
model, images, found = (str(folder / name) for name in ("project", "images", "several"))
for words in (
    ["predict", model, images, "--out", found, "--device", "cpu", "--overlays", "5", "--format", "coco"],
    ["pseudo-label", model, found, str(folder / "only"), "--out", str(folder / "pairs-several"), "--size", "32"],
):
    sys.argv = ["kpdetect", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""
CHAIN = """
import os, signal, sys
from pathlib import Path
import torch
from torch import distributed
from kpdetect.cli.main import main
from kpdetect.training.loop import Trainer
from tests.builders.projects import SMALL

folder, run_until = Path(sys.argv[1]), Trainer.run_until

def watched(trainer, budget):
    stage = trainer.run.folder.name
    killed, step = folder / f"killed-{stage}", trainer.train_step
    if int(os.environ["RANK"]) == {"generator": 0, "refined": 1}.get(stage) and not killed.exists():
        def step_or_die():
            if trainer.step == 1:
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return step()
        trainer.train_step = step_or_die
    run_until(trainer, budget)
    network = trainer.generator if stage == "generator" else trainer.detector
    flat = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    both = [torch.zeros_like(flat) for _ in range(2)]
    distributed.all_gather(both, flat)
    assert torch.equal(*both), stage
    assert trainer.step == budget.steps, stage

Trainer.run_until = watched
settings = [word for setting in SMALL for word in ("--set", setting)]
sys.argv = ["kpdetect", "run", str(folder / "images"), "--out", str(folder / "project"), "--size", "32", "--keypoints", "4"]
sys.argv += ["--device", "cpu", "--precision", "float32", *settings]
main()
"""
ARGUMENTS = """
import os, sys
from kpdetect.training.processes import joined
sys.argv.append(os.environ["RANK"])
try:
    with joined():
        print("must not begin")
except (Exception, SystemExit) as error:
    print(f"process {os.environ['RANK']}: {error!r}", flush=True)
"""


def torchrun(script, *words, restarts=0):
    """Output, errors and exit code of a script in two processes."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", str(restarts), str(script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False, timeout=400)


@pytest.fixture
def images(tmp_path):
    """80 pictures of 24 by 16 pixels, one that cannot be read, and two videos; the pictures alone are in `only` too."""
    source = np.random.default_rng(0)
    for folder in ("images", "only"):
        (tmp_path / folder).mkdir()
    for number in range(80):
        picture = Pillow.fromarray(source.integers(0, 255, (16, 24, 3), dtype=np.uint8))
        for folder in ("images", "only"):
            picture.save(tmp_path / folder / f"{number:03d}.png")
    (tmp_path / "images" / "040-broken.png").write_text("no picture")
    for name in ("a", "b"):
        write_video(tmp_path / "images" / f"{name}.avi", 3)
    return tmp_path / "images"


def contents(folder):
    """Bytes of every file of a folder but the records of when and where it was made."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in ("predictions.json", "derived.json"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def predict(project, images, out, peers=None):
    config = PredictConfig(overlays=5, formats=("coco",))
    return predict_inputs(project, [str(images)], out, config, "cpu", peers=peers or ALONE)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill so")
def test_two_processes_of_which_one_is_killed_end_as_one_alone(small_project, images, tmp_path, monkeypatch):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = torchrun(tmp_path / "script.py", tmp_path, restarts=1)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "killed").exists()
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert "another process of this command ended" in lines[0]
    assert lines[0].endswith("; torchrun starts all of them again")
    assert done.stdout.count("predictions: ") == 1  # the first process speaks for both
    monkeypatch.setattr(image_parts, "SMALLEST", 32)
    predict(small_project, images, tmp_path / "one")
    assert contents(tmp_path / "several") == contents(tmp_path / "one")
    records = [read_json(tmp_path / name / "predictions.json") for name in ("several", "one")]
    assert all({**record, "environment": None} == {**records[0], "environment": None} for record in records)
    write_pseudo_pairs(small_project, tmp_path / "one", tmp_path / "only", tmp_path / "pairs-one", size=32)
    assert contents(tmp_path / "pairs-several") == contents(tmp_path / "pairs-one")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill so")
def test_a_project_in_two_processes_goes_on_after_two_kills_and_their_networks_stay_equal(tmp_path):
    write_toy(tmp_path / "toy", 40, size=32, seed=0)
    (tmp_path / "toy" / "images").rename(tmp_path / "images")
    (tmp_path / "script.py").write_text(CHAIN)
    done = torchrun(tmp_path / "script.py", tmp_path, restarts=2)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {path.name for path in tmp_path.glob("killed-*")} == {"killed-generator", "killed-refined"}
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 2, done.stderr
    assert done.stdout.count("report: ") == 1
    assert len(Predictions.read(tmp_path / "project" / "predictions").images) == 40
    stages = [tmp_path / "project" / name for name in ("generator", "detector", "refined", "taught-1")]
    steps = [read_model_description(stage / "model.safetensors").step for stage in stages]
    assert steps == [3, 3, 2, 2]


@pytest.mark.slow
def test_processes_of_other_arguments_are_refused_in_one_line(tmp_path):
    (tmp_path / "script.py").write_text(ARGUMENTS)
    done = torchrun(tmp_path / "script.py")
    assert "must not begin" not in done.stdout
    assert "process 0: InputError('process 0 has other arguments than process 1: " in done.stdout
    assert "process 1: SystemExit(2)" in done.stdout


@pytest.mark.slow
def test_three_processes_predict_what_one_does(small_project, images, tmp_path, monkeypatch):
    monkeypatch.setattr(image_parts, "SMALLEST", 32)
    alone = predict(small_project, images, tmp_path / "one")
    first, *others = together(3, lambda peers: predict(small_project, images, tmp_path / "three", peers))
    assert contents(tmp_path / "three") == contents(tmp_path / "one")
    assert (first.images, first.skipped, first.doubtful) == (80, alone.skipped, alone.doubtful)
    assert [(folder.name, count) for folder, count in first.clips] == [("a", 3), ("b", 3)]
    assert [other.images for other in others] == [0, 0]
    assert not (tmp_path / "three" / FOLDER).exists()
    again, _, _ = together(3, lambda peers: predict(small_project, images, tmp_path / "three", peers))
    assert (again.images, again.skipped) == (80, alone.skipped)


@pytest.mark.slow
def test_a_killed_prediction_goes_on_with_another_number_of_processes(small_project, images, tmp_path, monkeypatch):
    monkeypatch.setattr(image_parts, "SMALLEST", 32)
    predict(small_project, images, tmp_path / "one")
    read, seen = image_job._ImageJob._read, list[str]()

    def killed(job, number):
        if job.names[number] == "070.png":
            raise KeyboardInterrupt
        return read(job, number)

    def noted(job, number):
        seen.append(job.names[number])
        return read(job, number)

    monkeypatch.setattr(image_job._ImageJob, "_read", killed)
    with pytest.raises(KeyboardInterrupt):
        predict(small_project, images, tmp_path / "killed")
    monkeypatch.setattr(image_job._ImageJob, "_read", noted)
    together(2, lambda peers: predict(small_project, images, tmp_path / "killed", peers))
    assert min(seen) == "063.png"  # of 81 files the parts of the first 64 are kept
    assert contents(tmp_path / "killed") == contents(tmp_path / "one")


@pytest.mark.slow
def test_parts_of_other_images_are_not_used(small_project, images, tmp_path, monkeypatch):
    monkeypatch.setattr(image_parts, "SMALLEST", 32)
    write = image_parts.Parts.write

    def killed(parts, span, part):
        write(parts, span, part)
        raise KeyboardInterrupt

    monkeypatch.setattr(image_parts.Parts, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        predict(small_project, images, tmp_path / "killed")
    monkeypatch.setattr(image_parts.Parts, "write", write)
    Pillow.new("RGB", (24, 16), "red").save(images / "000.png")
    predict(small_project, images, tmp_path / "killed")
    predict(small_project, images, tmp_path / "one")
    assert contents(tmp_path / "killed") == contents(tmp_path / "one")


@pytest.mark.slow
def test_processes_that_see_other_images_are_refused(small_project, images, tmp_path):
    def look(peers: Peers):
        shown = images if peers.is_main else tmp_path / "only"
        return predict(small_project, shown, tmp_path / "found", peers)

    with pytest.raises(InputError, match="process 1 sees other images than process 0"):
        together(2, look)


@pytest.mark.slow
def test_images_that_nobody_can_read_leave_earlier_results(small_project, images, tmp_path):
    predict(small_project, tmp_path / "only", tmp_path / "found")
    before = contents(tmp_path / "found")
    broken = str(images / "040-broken.png")
    with pytest.raises(InputError, match="none of 1 images can be read"):
        together(2, lambda peers: predict_inputs(small_project, [broken], tmp_path / "found", None, "cpu", peers=peers))
    assert contents(tmp_path / "found") == before


@pytest.mark.slow
def test_pairs_of_two_processes_are_those_of_one(small_project, images, tmp_path, monkeypatch):
    found, only = tmp_path / "found", tmp_path / "only"
    predict_inputs(small_project, [str(only)], found, PredictConfig(overlays=0), "cpu")
    write_pseudo_pairs(small_project, found, only, tmp_path / "one", size=32)
    counts = together(2, lambda peers: write_pseudo_pairs(small_project, found, only, tmp_path / "two", size=32, peers=peers))
    assert counts == [80, 80]
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert ShardFolder(tmp_path / "two").damaged() == []


def test_crops_of_three_processes_are_those_of_one(images, tmp_path):
    box = (2.0, 1.0, 10.0, 8.0)
    alone = crop_images(images, tmp_path / "one", box)
    done = together(3, lambda peers: crop_images(images, tmp_path / "three", box, peers=peers))
    assert contents(tmp_path / "three") == contents(tmp_path / "one")
    assert read_json(tmp_path / "three" / "crops.json") == read_json(tmp_path / "one" / "crops.json")
    assert done == [alone] * 3
    assert list(alone) == ["040-broken.png"]
