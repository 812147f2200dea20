"""The choice between the methods `correspondence` and `gan` if the user names none.

On every set of images that was measured, `correspondence` reaches the error of the generator in less time, or a far lower one
(docs/results.md, "Methods compared"). It needs pretrained features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kpdetect.config import read_config
from kpdetect.detector.backbone import INSTALL
from kpdetect.errors import ConfigError
from kpdetect.project.config import Method, ProjectConfig, changed, project_config
from kpdetect.project.feature_network import require_features
from kpdetect.training.run_folder import CONFIG, has_begun

SHARED = ("generator.data.crop",)
"""Settings of the generator that the method `correspondence` uses too."""
OF_GENERATOR = ("size", "model", "init_generator")
"""Parameters of a run that only a generator uses."""


def chosen_method(
    out: Path, overrides: Sequence[str] = (), *, pretrained: bool = True, given: Mapping[str, object] | None = None
) -> tuple[Method, str]:
    """Choose the method of a project. A project that is continued keeps its method.

    Args:
        out: project folder.
        overrides: the user's assignments to settings. They may concern a generator, or name the weights of the features.
        pretrained: whether pretrained weights are allowed.
        given: parameters of the run, by name; None for one that the user does not give. Those in `OF_GENERATOR` ask for a
            generator, and so does `last` if it is "generator".

    Returns:
        The method, and a sentence with the choice and its reason. The method is `correspondence` if its features exist and
        nothing asks for a generator.

    Raises:
        ConfigError: an assignment cannot be applied, or the configuration in `out` is damaged.
    """
    if has_begun(out):
        method = read_config(ProjectConfig, out / CONFIG).method
        return method, f"method: {method}, with which this project began"
    if not pretrained:
        return "gan", "method: gan, because pretrained weights are not allowed"
    given = given or {}
    if given.get("last") == "generator":
        return "gan", "method: gan, because `last=generator` asks for a generator"
    keys = [assignment.partition("=")[0] for assignment in overrides]
    wishes = [name for name in OF_GENERATOR if given.get(name) is not None]
    wishes += [key for key in keys if key.startswith("generator.") and key not in SHARED]
    if wishes:
        return "gan", f"method: gan, because only a generator uses `{wishes[0]}`"
    settings = changed(project_config(method="correspondence"), None, overrides)
    try:
        require_features(settings.correspondence)
    except ConfigError:
        why = "the method `correspondence` needs less time for the same error, but its features are missing"
        return "gan", f"method: gan; {why}: {INSTALL}"
    return "correspondence", (
        "method: correspondence. It uses features of a network trained on ImageNet, and trains no generator; `method=gan` "
        "trains one, which draws image-keypoint pairs and can be edited"
    )
