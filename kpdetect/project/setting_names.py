"""Names of a training's settings inside a project: the setting `rate` of `kpdetect refine` is `refine.rate` there."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pydantic import BaseModel

from generator.config import GeneratorConfig
from kpdetect.detector.config import DetectorConfig
from kpdetect.errors import KpdetectError
from kpdetect.messages import log
from kpdetect.project.rounds_config import RoundsConfig
from kpdetect.refinement.config import RefineConfig

SECTIONS: Mapping[str, Mapping[str, type[BaseModel]]] = {
    "generator": {"generator": GeneratorConfig},
    "detector": {"detector": DetectorConfig},
    "refine": {"refine": RefineConfig},
    "imm": {"refine": RefineConfig},
    "round": {"rounds": RoundsConfig, "detector": DetectorConfig},
}
"""For each training stage, the sections of the project's configuration that hold its settings. The first with a name counts."""
ASSIGNED, DOTTED = r"(?<=`overrides=)[\w.]+", r"(?<![\w./`=-])[a-z]\w*\.[a-z]\w*"
NAMED = re.compile(f"{ASSIGNED}|{DOTTED}")
"""A setting in a message of a training: `overrides=rate=0.0001`, or a name with a dot, such as optimiser.features."""


def project_key(key: str, stage: str) -> str:
    """Return the name that a training's setting has in a project. A name that is no setting of the training is not changed."""
    for section, config in SECTIONS[stage].items():
        if _has(config, key.split(".")):
            return f"{section}.{key}"
    return key


def _has(config: type[BaseModel], names: list[str]) -> bool:
    field = config.model_fields.get(names[0])
    if field is None or len(names) == 1:
        return field is not None
    kind = field.annotation
    return isinstance(kind, type) and issubclass(kind, BaseModel) and _has(kind, names[1:])


def in_project(text: str, stage: str) -> str:
    """Replace the settings that a message names by their names in a project.

    Args:
        text: a message of a training, for example "try `overrides=rate=0.0001`".
        stage: the training's stage, a key of `SECTIONS`.
    """
    return NAMED.sub(lambda match: project_key(match[0], stage), text)


@contextmanager
def settings_of(stage: str) -> Iterator[None]:
    """Make messages and errors of a stage's training in the `with` block name its settings as the project does."""

    def rename(record: logging.LogRecord) -> bool:
        record.msg, record.args = in_project(record.getMessage(), stage), ()
        return True

    log.addFilter(rename)
    try:
        yield
    except KpdetectError as error:
        error.args = tuple(in_project(part, stage) if isinstance(part, str) else part for part in error.args)
        raise
    finally:
        log.removeFilter(rename)


def named_in(stage: str, run: Callable[[], None]) -> Callable[[], None]:
    """Make a stage of a project run inside `settings_of`."""

    def named() -> None:
        with settings_of(stage):
            run()

    return named
