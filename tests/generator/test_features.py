"""The discriminator of feature maps: its logits, what of it learns, and what it changes in the training of the generator."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from generator.config import GeneratorConfig
from generator.growing import Stage
from generator.training.features import FeatureDiscriminator
from generator.training.job import GeneratorJob
from generator.training.train import GeneratorTrainer
from kpdetect.cli.main import app
from kpdetect.config import apply_overrides
from kpdetect.data.folder import build_cache
from kpdetect.data.training_images import TrainingImages
from kpdetect.detector.backbone import create_backbone
from kpdetect.errors import CheckpointError, ConfigError
from kpdetect.project import generator_training, run_stages
from kpdetect.project.config import project_config
from kpdetect.refinement.reconstruction import Perception, named_perception
from kpdetect.training.checkpoints import load_checkpoint
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime
from tests.builders.generators import CONFIG, GROWING, JUDGED, Maps
from tests.builders.projects import SMALL
from tests.builders.runtimes import CPU
from tests.builders.states import states_equal
from tests.builders.trainings import fit_generator


def small() -> FeatureDiscriminator:
    network = Maps()
    return FeatureDiscriminator(lambda images: network(images)[1:], network.channels[1:], 6)


def test_every_map_is_judged_place_by_place() -> None:
    judged = small()
    assert judged(torch.rand(2, 3, 32, 32)).shape == (2, 2 * 4 * 4)  # maps of 8 and 4 pixels; the finer is halved once
    assert judged(torch.rand(2, 1, 64, 64)).shape == (2, 2 * 8 * 8)  # grey images are shown in three equal channels


def test_mixed_maps_have_unit_mean_square_and_know_of_depth() -> None:
    judged, images = small(), 20 * torch.rand(3, 3, 32, 32)
    maps = judged.extract(images)
    mixed = judged.mixed(maps)
    assert [tuple(each.shape[1:]) for each in mixed] == [(6, 8, 8), (6, 4, 4)]
    for each in mixed:
        torch.testing.assert_close(each.square().mean(dim=(1, 2, 3)), torch.ones(3), atol=1e-2, rtol=0)
    other = judged.mixed([maps[0], maps[1] + 1])
    assert not torch.allclose(other[0], mixed[0])  # the finer map has the deeper one in it
    assert not torch.allclose(judged.mixed([maps[0] + 1, maps[1]])[0], mixed[0])
    torch.testing.assert_close(judged.mixed([maps[0] + 1, maps[1]])[1], mixed[1])  # not the other way round


def test_the_frozen_network_is_no_part_of_the_state() -> None:
    judged = small()
    assert {name.partition(".")[0] for name in judged.state_dict()} == {"mix_channels", "mix_depths", "heads", "scales"}
    learning = {name.partition(".")[0] for name, parameter in judged.named_parameters() if parameter.requires_grad}
    assert learning == {"heads", "scales"}


def trained(blobs: Path, folder: Path, *overrides: str, maps: nn.Module | None) -> GeneratorTrainer:
    config: GeneratorConfig = apply_overrides(JUDGED if maps else CONFIG, list(overrides))
    cache = build_cache(blobs, folder, 40, "centre", set())
    trainer = GeneratorTrainer(RunFolder(folder, config), cache, config, CPU, feature_network=maps)
    for _ in range(2):
        trainer.metrics = trainer.train_step()  # type: ignore[attr-defined]
        trainer.step += 1
    trainer.batches.close()
    return trainer


def differing(one: GeneratorTrainer, two: GeneratorTrainer, *names: str) -> set[str]:
    return {name for name in names if not states_equal(*(each.stateful()[name].state_dict() for each in (one, two)))}


@pytest.mark.slow
def test_its_verdict_reaches_the_generator_and_its_fields_do_what_they_say(blob_folder: Path, tmp_path: Path) -> None:
    plain = trained(blob_folder, tmp_path / "plain", maps=None)
    judged = trained(blob_folder, tmp_path / "judged", maps=Maps())
    assert judged.metrics.keys() - plain.metrics.keys() == {  # type: ignore[attr-defined]
        "loss_feature_discriminator", "loss_feature_generator",
    }  # fmt: skip
    assert differing(plain, judged, "generator", "discriminator", "average") == {"generator", "discriminator", "average"}
    names = ("generator", "feature_discriminator")
    for override in ("feature_weight=3", "feature_betas=[0.5,0.9]"):
        other = trained(blob_folder, tmp_path / override[:12], f"optimiser.{override}", maps=Maps())
        assert differing(judged, other, *names) == set(names), override
    wider = trained(blob_folder, tmp_path / "wider", "optimiser.feature_width=9", maps=Maps())
    assert wider.adversary.feature_discriminator.mix_channels[0].out_channels == 9


def test_only_heads_learn_and_verdicts_leave_them_alone(blob_folder: Path, tmp_path: Path) -> None:
    maps = Maps()
    before = {name: value.clone() for name, value in maps.state_dict().items()}
    trainer = trained(blob_folder, tmp_path / "run", maps=maps)
    assert states_equal(before, maps.state_dict())
    mixing = FeatureDiscriminator(maps, maps.channels[1:], 6)
    fixed = {name for name, _ in mixing.named_parameters() if name.startswith("mix")}
    early = {name: value.clone() for name, value in trainer.adversary.feature_discriminator.state_dict().items()}
    trainer.batches = trainer.batches.__class__(trainer.cache.images, 32, 4, trainer.config.data, trainer.config.seed, 3)
    trainer.train_step()
    trainer.batches.close()
    late = trainer.adversary.feature_discriminator.state_dict()
    assert all(torch.equal(early[name], late[name]) for name in fixed)
    weights = [name for name in early if name.startswith("heads") and name.endswith("original")]
    assert weights
    assert not any(torch.equal(early[name], late[name]) for name in weights)
    assert all(each.requires_grad for each in trainer.adversary.feature_discriminator.heads.parameters())


@pytest.mark.slow
def test_an_interrupted_run_equals_an_uninterrupted_one(blob_folder: Path, tmp_path: Path) -> None:
    fit_generator(blob_folder, tmp_path / "whole", JUDGED, CPU, feature_network=Maps())
    fit_generator(blob_folder, tmp_path / "parts", apply_overrides(JUDGED, ["steps=2"]), CPU, feature_network=Maps())
    fit_generator(blob_folder, tmp_path / "parts", JUDGED, CPU, feature_network=Maps())
    ends = [load_checkpoint(tmp_path / name / "checkpoint.pt", "generator") for name in ("whole", "parts")]
    assert "feature_discriminator" in ends[0]
    assert states_equal(*ends)


@pytest.mark.slow
def test_a_run_is_not_continued_under_another_judge(blob_folder: Path, tmp_path: Path) -> None:
    fit_generator(blob_folder, tmp_path / "run", apply_overrides(JUDGED, ["steps=1"]), CPU, feature_network=Maps())
    kept = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    other = Maps()
    other.hash = "of other ones"
    with pytest.raises(ConfigError, match=r"judged by other weights \(optimiser\.features\)"):
        fit_generator(blob_folder, tmp_path / "run", JUDGED, CPU, feature_network=other)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == kept


def test_verdicts_reach_the_image_and_leave_the_discriminators_alone(blob_folder: Path, tmp_path: Path) -> None:
    adversary = trained(blob_folder, tmp_path / "run", maps=Maps()).adversary
    learning = [each for network in adversary.networks for each in network.parameters() if each.requires_grad]
    for parameter in learning:
        parameter.grad = None
    image = torch.rand(4, 3, 32, 32, requires_grad=True)
    losses = adversary.loss(image, 0, Stage(size=32))
    for name in ("loss_generator", "loss_feature_generator"):
        (gradient,) = torch.autograd.grad(losses[name][1], image, retain_graph=True)
        assert gradient.abs().sum() > 0, name
    sum(value for _, value in losses.values()).backward()
    assert [each for each in learning if each.grad is not None] == []
    assert all(each.requires_grad for each in learning)


@pytest.mark.slow
def test_a_run_takes_the_heads_of_an_earlier_one_if_they_are_of_the_same_network(blob_folder: Path, tmp_path: Path) -> None:
    fit_generator(blob_folder, tmp_path / "plain", apply_overrides(CONFIG, ["steps=1"]), CPU)
    other = Maps()
    other.hash = "of other ones"
    begun = {}
    for name, before, overrides, maps in (
        ("first", "plain", ["seed=4"], Maps()),
        ("same", "first", ["seed=5"], Maps()),
        ("other", "first", ["seed=5"], other),
        ("wider", "first", ["seed=5", "optimiser.feature_width=9"], Maps()),
    ):
        config = apply_overrides(JUDGED, ["steps=1", *overrides])
        fit_generator(blob_folder, tmp_path / name, config, CPU, initial=tmp_path / before, feature_network=maps)
        state = load_checkpoint(tmp_path / name / "checkpoint.pt", "generator")
        begun[name] = state["feature_discriminator"]["mix_channels.0.weight"]  # fixed: what the run began with
    assert torch.equal(begun["same"], begun["first"])
    assert not torch.equal(begun["other"], begun["first"])
    assert len(begun["wider"]) == 9


class Few(Maps):
    """Maps that do not grow coarser."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images.new_zeros(1, count, 8, 8) for count in self.channels]


def test_a_network_whose_maps_cannot_be_mixed_is_refused(blob_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"optimiser\.feature_network: for images of 32 pixels its maps are \[\(2, 8, 8\)"):
        trained(blob_folder, tmp_path / "run", maps=Few())


@pytest.mark.slow
def test_both_commands_hand_on_the_network_that_their_settings_name(
    blob_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    torch.save(create_backbone("resnet18").state_dict(), tmp_path / "weights.pth")
    names = [f"optimiser.features={tmp_path / 'weights.pth'}", "optimiser.feature_network=resnet18"]
    given: list[Perception | None] = []

    def kept(job: GeneratorJob) -> Path:
        given.append(job.feature_network)
        raise KeyboardInterrupt

    monkeypatch.setattr(generator_training, "run_generator_job", kept)
    small = [each.removeprefix("generator.") for each in SMALL if each.startswith("generator.")]
    for out, more in (("with", names), ("without", [])):
        call = ["train-generator", str(blob_folder), "--out", str(tmp_path / out), "--size", "32", "--device", "cpu"]
        CliRunner().invoke(app, call + [part for name in [*small, *more] for part in ("--set", name)])
    monkeypatch.setattr(run_stages, "run_generator_job", kept)
    for more in (names, []):
        settings = apply_overrides(project_config(size=32), [f"generator.{name}" for name in more])
        project = run_stages.Project(images=TrainingImages(blob_folder), out=tmp_path / "run", settings=settings, runtime=CPU)
        with pytest.raises(KeyboardInterrupt):
            project.generator()
    assert [each is not None for each in given] == [True, False, True, False]
    assert given[0] is not None
    assert given[0].channels == [64, 64, 128, 256]


def test_setting_and_network_belong_together(blob_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="from Python give both or none"):
        fit_generator(blob_folder, tmp_path / "run", JUDGED, CPU)
    with pytest.raises(ConfigError, match="from Python give both or none"):
        fit_generator(blob_folder, tmp_path / "run", CONFIG, CPU, feature_network=Maps())
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_trained_network_of_a_file_is_taken(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = create_backbone("resnet18")
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    found = named_perception("resnet18", str(tmp_path / "weights.pth"), "optimiser.features", CPU)
    assert found is not None
    assert found.channels == [64, 64, 128, 256]
    maps = found(torch.rand(1, 3, 64, 64))
    assert [each.shape[1] for each in maps] == found.channels
    assert named_perception("resnet18", None, "optimiser.features", CPU) is None
    with pytest.raises(ConfigError, match=r"optimiser\.features = imagenet: no such file"):
        named_perception("resnet18", "imagenet", "optimiser.features", CPU)
    with pytest.raises(CheckpointError, match=r"^optimiser\.features: .*80 weights of the backbone are missing"):
        named_perception("resnet34", str(tmp_path / "weights.pth"), "optimiser.features", CPU)
    with pytest.raises(ConfigError, match=r"^optimiser\.features: .*no such network"):
        named_perception("resnet17", str(tmp_path / "weights.pth"), "optimiser.features", CPU)
    with pytest.raises(ConfigError, match=r"^optimiser\.features = installed"):
        named_perception("resnet18", "installed", "optimiser.features", CPU)


@pytest.mark.slow
def test_it_judges_images_that_grow(blob_folder: Path, tmp_path: Path, first_is_32: None) -> None:
    """At 32 pixels, while 64 fade in, and at 64; continued at each."""
    config = apply_overrides(GROWING, ["optimiser.features=weights.pth", "optimiser.feature_width=6", "checkpoint_every=1"])
    judged = partial(fit_generator, blob_folder, runtime=CPU, feature_network=Maps())
    judged(tmp_path / "whole", config=apply_overrides(config, ["steps=5"]))
    for steps in (2, 3, 5):
        judged(tmp_path / "parts", config=apply_overrides(config, [f"steps={steps}"]))
    ends = [load_checkpoint(tmp_path / name / "checkpoint.pt", "generator") for name in ("whole", "parts")]
    for network in ("generator", "feature_discriminator"):
        assert states_equal(ends[0][network], ends[1][network]), network


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # torch warns of itself while tracing
def test_compiled_it_learns_the_same(blob_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kpdetect.training.runtime.BACKEND", "eager")  # traced, and run as it is
    traced = Runtime(device=CPU.device, compute=CPU.compute, compiled=True)
    for name, runtime in (("plain", CPU), ("traced", traced)):
        fit_generator(blob_folder, tmp_path / name, JUDGED, runtime, feature_network=Maps())
    plain, compiled = (load_checkpoint(tmp_path / name / "checkpoint.pt", "generator") for name in ("plain", "traced"))
    assert plain["feature_discriminator"].keys() == compiled["feature_discriminator"].keys()
    for name, tensor in plain["feature_discriminator"].items():
        torch.testing.assert_close(tensor, compiled["feature_discriminator"][name], atol=1e-4, rtol=1e-3)
