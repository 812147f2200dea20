"""The choice of the method for objects with all directions, such as animals seen from above.

On the only such set of images that was measured, the method `correspondence` has a far lower error than the generator
(docs/results.md, "Methods compared").
"""

from __future__ import annotations

from pathlib import Path

from kpdetect.config import read_config
from kpdetect.detector.backbone import INSTALL
from kpdetect.errors import ConfigError
from kpdetect.messages import log
from kpdetect.project.config import Method, ProjectConfig
from kpdetect.project.feature_network import require_features
from kpdetect.training.run_folder import CONFIG


def chosen_method(settings: ProjectConfig, out: Path, *, report: bool) -> Method:
    """Choose the method of a project whose objects have all directions. A project that is continued keeps its method.

    Args:
        settings: settings of the project with the method `gan`.
        out: project folder.
        report: whether the log says the choice.

    Returns:
        `correspondence` if its features are installed; else the method of the settings.
    """
    if (out / CONFIG).exists():
        return read_config(ProjectConfig, out / CONFIG).method
    try:
        require_features(settings.correspondence)
    except ConfigError:
        if report:
            log.info(f"the method `correspondence` has lower errors on such objects; its features need: {INSTALL}")
        return settings.method
    if report:
        log.info(
            "method: correspondence, because the objects have all directions. It uses features of a network trained on "
            "ImageNet, and trains no generator; `method=gan` trains one"
        )
    return "correspondence"
