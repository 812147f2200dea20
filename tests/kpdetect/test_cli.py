"""The command line as a user meets it: what it prints, its exit codes, and that nothing is left half written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kpdetect.cli import verbs
from kpdetect.cli.main import app, main
from kpdetect.cli.verbs import VERBS
from kpdetect.training.checkpoints import read_description
from tests.builders.blobs import damage
from tests.builders.commands import run


def test_help_loads_nothing_heavy():
    heavy = "torch numpy pandas h5py cv2 pydantic timm albumentations sklearn matplotlib"
    code = f"import sys, kpdetect.cli.main; print([name for name in '{heavy}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_help_lists_every_verb():
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    for verb in (*VERBS, "predict", "label", "toy"):
        assert verb in VERBS
        assert verb in shown.output
        assert CliRunner().invoke(app, [verb, "--help"]).exit_code == 0


def test_every_verb_of_the_folder_is_in_the_table():
    files = Path(verbs.__file__).parent.glob("*.py")
    named = {path.stem for path in files if path.read_text(encoding="utf-8").startswith('"""`kpdetect ')}
    assert named == {verb.partition(":")[0] for verb in VERBS.values()}


@pytest.mark.slow
def test_a_verb_loads_no_other_verb():
    code = "import sys; from kpdetect.cli.main import app; sys.argv[1:] = ['toy', '--help']; app(standalone_mode=False)"
    listed = "print(sorted(name for name in sys.modules if name.startswith('kpdetect.cli.')))"
    done = subprocess.run([sys.executable, "-c", f"{code}; {listed}"], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert "'kpdetect.cli.toy'" in loaded
    assert "kpdetect.cli.predict" not in loaded


def test_a_mistyped_verb_is_answered_with_those_like_it(fails):
    assert fails("predct") == "error: No such command 'predct'. Did you mean 'predict', 'edit'?; see `kpdetect --help`"


def test_empty_folder(fails, tmp_path):
    (tmp_path / "images").mkdir()
    assert "no images found" in fails("run", tmp_path / "images", "--out", tmp_path / "project")
    assert not (tmp_path / "project").exists()


def test_two_images(fails, blob_folder, tmp_path):
    for number in range(2, 24):
        (blob_folder / f"{number:03d}.png").unlink()
    assert "2 images; training needs at least 16" in fails("run", blob_folder, "--out", tmp_path / "project")
    assert not (tmp_path / "project").exists()


def test_a_file_in_the_place_of_a_folder(fails, tmp_path):
    (tmp_path / "images").write_text("")
    assert "not a folder" in fails("run", tmp_path / "images", "--out", tmp_path / "project")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--keypoints", "0"], "--keypoints 0: expected 1 to 64"),
        (["--size", "48"], "--size 48: expected 32, 64"),
        (["--set", "generator.model.keypiont=3"], "did you mean 'generator.model.keypoints'"),
        (["--set", "seed"], "expected key=value"),
        (["--set", "generator.optimiser.batch=1"], "generator.optimiser.batch = 1 is not valid"),
        (["--exclude-list", "missing.txt"], "--exclude-list missing.txt"),
        (["--config", "missing.yaml"], "missing.yaml: cannot be read"),
        (["--device", "cuda"], "--device cuda"),
    ],
)
def test_bad_options(fails, blob_folder, tmp_path, option, said):
    assert said in fails("run", blob_folder, "--out", tmp_path / "project", *option)
    assert not (tmp_path / "project" / "generator").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_output(fails, blob_folder, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "cannot be written" in fails("run", blob_folder, "--out", tmp_path / "locked" / "project")


def test_output_below_a_file(fails, blob_folder, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in fails("run", blob_folder, "--out", tmp_path / "file" / "project")


def test_unreadable_images_stop_only_under_strict(fails, blob_folder, tmp_path):
    damage(blob_folder)
    said = fails("train-generator", blob_folder, "--out", tmp_path / "run", "--size", "32", "--strict")
    assert "cut.jpg" in said
    assert not (tmp_path / "run" / "images.h5").exists()


def test_no_model(fails, tmp_path, blob_folder):
    assert "no trained generator here" in fails("generate", tmp_path, "--out", tmp_path / "pairs")
    assert "no trained detector here" in fails("predict", tmp_path, blob_folder, "--out", tmp_path / "found")
    assert not (tmp_path / "pairs").exists()
    assert not (tmp_path / "found").exists()


def test_damaged_weights(fails, tmp_path, blob_folder):
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    assert "damaged weights file" in fails("predict", tmp_path, blob_folder, "--out", tmp_path / "found")


def test_no_pairs(fails, tmp_path):
    assert "no such file; expected a folder of pairs" in fails("train-detector", tmp_path, "--out", tmp_path / "detector")
    assert not (tmp_path / "detector").exists()


def test_info_of_nothing(fails, tmp_path):
    assert "no such file or folder" in fails("info", tmp_path / "nothing")
    assert "kpdetect did not write this" in fails("info", tmp_path)


def test_unknown_protocol(fails, tmp_path):
    said = fails("benchmark", "mafl-algined", "--model", tmp_path, "--data", tmp_path)
    assert "mafl-aligned" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["boxes", "found", "--out", "b.csv"], "error: boxes: give either --margin M or --like MODEL"),
        (["crop", "images", "--out", "crops"], "error: crop: give either --boxes FILE or --box L,T,W,H"),
        (["crop", "images"], "error: Missing option '--out' / '-o'; see `kpdetect crop --help`"),
        (["predict", "--nope"], "error: No such option: --nope; see `kpdetect predict --help`"),
        (["prdict"], "error: No such command 'prdict'"),
        (["measure", "m", "i", "-o", "o", "--inception-weights", "nope.pth"], "error: Invalid value for '--inception-weights'"),
    ],
)
def test_wrong_calls_are_one_line(monkeypatch, capsys, given, said):
    code, err = run(*given, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 2
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_help_and_version_end_well(monkeypatch, capsys):
    for given, code in ((["--version"], 0), (["crop", "--help"], 0), ([], 2)):
        assert run(*given, monkeypatch=monkeypatch, capsys=capsys) == (code, "\n" if code else "")


def test_the_package_is_the_command():
    command = [sys.executable, "-m", "kpdetect", "toy", "--count", "0", "--out", "unused"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: Invalid value for '--count'")


def test_report_of_what_is_no_project_writes_nothing(fails, blob_folder, tmp_path):
    assert "nowhere: no such folder; give a project folder" in fails("report", tmp_path / "nowhere")
    assert "no generator, detector, predictions or results; give a project folder" in fails("report", blob_folder)
    assert not (tmp_path / "nowhere").exists()
    assert not (blob_folder / "report").exists()
    (blob_folder / "detector").mkdir()
    assert CliRunner().invoke(app, ["report", str(blob_folder)]).exit_code == 0
    assert (blob_folder / "report" / "index.html").exists()


def test_ctrl_c_says_that_the_work_is_saved(monkeypatch, capsys, tmp_path):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("kpdetect.toy.dataset.write_toy", interrupted)
    code, err = run("toy", "--count", 20, "--out", tmp_path / "toy", monkeypatch=monkeypatch, capsys=capsys)
    assert code == 130
    assert err.splitlines()[-1].startswith("stopped; ")


def test_unexpected_errors_are_not_hidden(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["kpdetect", "doctor"])
    monkeypatch.setattr("kpdetect.cli.doctor.examine", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main()


@pytest.mark.slow
def test_doctor_finds_a_broken_package(monkeypatch, capsys):
    code = "import sys; sys.modules['h5py'] = None; sys.argv = ['', 'doctor']; from kpdetect.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd(), check=False)
    assert done.returncode == 2
    assert "BROKEN h5py" in done.stdout
    assert "to repair it: pip install" in done.stdout


@pytest.mark.slow
def test_a_budget_of_images_ends_a_generator_at_whole_batches(blob_folder, tmp_path, monkeypatch, capsys):
    small = [
        "model.widths=[8,8]",
        "model.background_widths=[8,8]",
        "optimiser.discriminator_widths=[4,4,4]",
        "optimiser.batch=4",
    ]
    options = ["--size", "32", "--out", tmp_path / "run", *(word for each in small for word in ("--set", each))]
    for images, steps in ((5, 2), (9, 3)):  # a larger budget continues
        code, err = run("train-generator", blob_folder, *options, "--images", images, monkeypatch=monkeypatch, capsys=capsys)
        assert code == 0, err
        assert read_description(tmp_path / "run" / "model.safetensors")["step"] == steps


def test_ablations_are_refused_before_anything_is_trained(tmp_path):
    images = tmp_path / "toy" / "images"
    assert CliRunner().invoke(app, ["toy", "--count", "20", "--size", "32", "--out", str(images.parent)]).exit_code == 0
    common = [str(images), "--out", str(tmp_path / "out"), "--features", "random"]
    for arguments, reason in (
        (["ablate", "table2", *common, "--minutes-each", "0"], "minutes_each"),
        (["ablate", "table8", *common, "--minutes-each", "1"], "this table measures detectors"),
        (["ladder", *common, "--minutes-each", "1", "--size", "100"], "`size=100`"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert reason in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_help_groups_the_verbs_in_order():
    shown = CliRunner().invoke(app, ["--help"]).output
    places = [shown.index(f" {group} ─") for group in verbs.GROUPS]
    assert list(verbs.GROUPS) == ["Learn", "Use", "Measure", "Share"]
    assert places == sorted(places)
    assert places[1] < shown.index("predict ") < places[2] < shown.index("benchmark ") < places[3]


@pytest.mark.parametrize("minutes", ["inf", "-1"])
def test_minutes_must_be_a_number(fails, blob_folder, tmp_path, minutes):
    said = fails("run", blob_folder, "--out", tmp_path / "project", "--minutes", minutes, "--dry-run")
    assert "--minutes" in said
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize("verb", [("predict", "toy-32"), ("run",)])
def test_a_name_that_is_too_long_is_refused_in_one_line(fails, blob_folder, tmp_path, verb):
    said = fails(*verb, blob_folder, "--out", tmp_path / ("a" * 300))
    assert "File name too long; give another name" in said


def test_measuring_a_detector_needs_no_more_images_than_it_says(fails, blob_folder, small_project, tmp_path):
    for number in range(1, 24):
        (blob_folder / f"{number:03d}.png").unlink()
    said = fails("measure", small_project, blob_folder, "--out", tmp_path / "measured")
    assert "1 image; measuring needs at least 2" in said


def test_a_wrong_ending_is_refused_before_anything_is_exported(fails, small_project, tmp_path):
    pytest.importorskip("onnx")
    said = fails("export", small_project, "--onnx", tmp_path / "a.onnx", "--torch", tmp_path / "b.pt")
    assert "expected a file name that ends in .pt2" in said
    assert not (tmp_path / "a.onnx").exists()
