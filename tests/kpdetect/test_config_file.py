"""`--config FILE` beside options: the file stands where an option was not given, and is not silently overruled or ignored."""

import sys

import pytest
import yaml

from kpdetect.cli.main import main
from tests.builders.detectors import dots, write_pairs

QUICK = ["--minutes", "0", "--set", "pairs.count=100"]
"""Ends soon where nothing is refused."""


def config_of(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())


@pytest.fixture
def kpdetect(monkeypatch, capsys):
    """Calls the command; gives the exit code and the last line of what it printed to stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["kpdetect", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, (capsys.readouterr().err.splitlines() or [""])[-1]

    return call


@pytest.fixture
def detector_file(tmp_path):
    write_pairs(tmp_path / "pairs", dots(20))
    (tmp_path / "detector.yaml").write_text(
        "{seed: 7, steps: 1, batch: 4, held_out: 0.1, model: {backbone: test_resnet, input_size: 32, head_width: 4}}"
    )
    return tmp_path / "detector.yaml"


@pytest.mark.slow
@pytest.mark.parametrize(("given", "seed"), [([], 7), (["--seed", 0], 0)])
def test_the_seed_of_the_file_stands_unless_another_is_given(kpdetect, detector_file, tmp_path, given, seed):
    code, _ = kpdetect("train-detector", tmp_path / "pairs", "--out", tmp_path / "run", "--config", detector_file, *given)
    assert code == 0
    assert config_of(tmp_path / "run")["seed"] == seed


IMM = """{method: imm, keypoints: 3, crop: stretch, seed: 7, steps: 1, batch: 4, agreement_weight: 0, anchor_weight: 0,
model: {backbone: test_resnet, input_size: 32, head_width: 4}, reconstruction: {size: 32, width: 16}}"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "found"), [([], (3, "stretch", 7)), (["-k", 2, "--crop", "pad", "--seed", 1], (2, "pad", 1))]
)
def test_imm_takes_what_the_file_says(kpdetect, blob_folder, tmp_path, given, found):
    (tmp_path / "imm.yaml").write_text(IMM)
    code, _ = kpdetect("imm", blob_folder, "--out", tmp_path / "run", "--config", tmp_path / "imm.yaml", *given)
    assert code == 0
    config = config_of(tmp_path / "run")
    assert (config["keypoints"], config["crop"], config["seed"]) == found


@pytest.mark.slow
def test_a_file_for_imm_need_not_say_everything(kpdetect, blob_folder, tmp_path):
    (tmp_path / "imm.yaml").write_text("{steps: 1, model: {input_size: 32}, reconstruction: {size: 32, width: 16}}")
    code, _ = kpdetect("imm", blob_folder, "--out", tmp_path / "run", "--config", tmp_path / "imm.yaml")
    assert code == 0
    config = config_of(tmp_path / "run")
    assert (config["method"], config["agreement_weight"], config["rate"]) == ("imm", 0, 0.001)


@pytest.mark.slow
def test_the_generator_takes_what_the_file_says(kpdetect, blob_folder, tmp_path):
    from generator.presets import preset
    from kpdetect.config import apply_overrides, write_config

    small = ["seed=7", "steps=1", "data.crop=pad", "optimiser.batch=4", "model.mlp_width=8", "model.widths=[8]"]
    small += ["model.background_widths=[4]", "model.start_size=32", "optimiser.discriminator_widths=[4,6,8]"]
    write_config(apply_overrides(preset("tiny", 32, 3), small), tmp_path / "generator.yaml")
    command = "train-generator", blob_folder, "--out", tmp_path / "run", "--config", tmp_path / "generator.yaml"
    assert kpdetect(*command)[0] == 0
    config = config_of(tmp_path / "run")
    assert (config["model"]["keypoints"], config["data"]["crop"], config["seed"]) == (3, "pad", 7)
    for option in (["--size", "64"], ["--preset", "small"], ["-k", "4"]):
        code, said = kpdetect(*command, *option)
        assert code == 2
        assert "cannot be combined with --config" in said


@pytest.mark.parametrize("option", [["--seed", "3"], ["--size", "32"], ["-k", "4"], ["--crop", "pad"], ["--no-refine"]])
def test_run_refuses_options_that_the_file_holds(kpdetect, blob_folder, tmp_path, option):
    from kpdetect.config import write_config
    from kpdetect.project.config import project_config

    write_config(project_config("tiny", 32, 3, "centre", 0), tmp_path / "project.yaml")
    arguments = ["run", blob_folder, "--out", tmp_path / "out", "--config", tmp_path / "project.yaml", *QUICK]
    code, said = kpdetect(*arguments, *option)
    assert code == 2
    assert "cannot be combined with --config" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--init-generator", "--init-detector"])
def test_imm_has_nothing_to_start_from(kpdetect, blob_folder, tmp_path, option):
    code, said = kpdetect("run", blob_folder, "--out", tmp_path / "out", "--method", "imm", option, tmp_path, *QUICK)
    assert code == 2
    assert f"{option}: --method imm starts from random weights" in said


@pytest.mark.parametrize("key", ["keypoints=5", "crop=pad", "model.input_size=64"])
def test_refine_refuses_settings_that_the_detector_decides(kpdetect, small_project, blob_folder, tmp_path, key):
    code, said = kpdetect("refine", small_project, blob_folder, "--out", tmp_path / "run", "--set", key)
    assert code == 2
    assert "the detector that is refined decides this value" in said


@pytest.mark.slow
def test_refine_says_that_nothing_holds_the_keypoints(monkeypatch, capsys, small_project, blob_folder, tmp_path):
    small = ["batch=4", "steps=1", "reconstruction.size=32", "reconstruction.width=16"]
    options = [word for value in small for word in ("--set", value)]
    command = ["kpdetect", "refine", small_project, blob_folder, "--out", tmp_path / "run", *options]
    monkeypatch.setattr(sys, "argv", [str(word) for word in command])
    with pytest.raises(SystemExit):
        main()
    assert "note: without pairs the keypoints may drift" in capsys.readouterr().err
