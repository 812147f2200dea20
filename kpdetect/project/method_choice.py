"""The choice of the method for objects with all directions, such as animals seen from above.

On the only such set of images that was measured, the method `correspondence` has a far lower error than the generator
(docs/results.md, "Methods compared").
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kpdetect.config import read_config
from kpdetect.detector.backbone import INSTALL
from kpdetect.errors import ConfigError
from kpdetect.project.config import Method, ProjectConfig
from kpdetect.project.feature_network import require_features
from kpdetect.training.run_folder import CONFIG


def chosen_method(settings: ProjectConfig, out: Path, *, say: Callable[[str], object]) -> Method:
    """Choose the method of a project whose objects have all directions. A project that is continued keeps its method.

    Args:
        settings: settings of the project with the method `gan`.
        out: project folder.
        say: function that is called with the choice and its reason.

    Returns:
        `correspondence` if its features are installed; else the method of the settings.
    """
    if (out / CONFIG).exists():
        method = read_config(ProjectConfig, out / CONFIG).method
        say(f"method: {method}, with which this project began")
        return method
    try:
        require_features(settings.correspondence)
    except ConfigError:
        why = "the method `correspondence` has lower errors on objects with all directions, but its features are missing"
        say(f"method: {settings.method}; {why}: {INSTALL}")
        return settings.method
    say(
        "method: correspondence, because the objects have all directions. It uses features of a network trained on "
        "ImageNet, and trains no generator; `method=gan` trains one"
    )
    return "correspondence"
