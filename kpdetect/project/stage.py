"""A stage of a project, and a function that runs all stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from kpdetect.messages import log
from kpdetect.training.processes import ALONE, Peers
from kpdetect.training.progress_note import noted_in


class Stage(NamedTuple):
    """A stage of a project.

    Attributes:
        title: text of the line that announces the stage.
        run: function that does the work of the stage.
    """

    title: str
    run: Callable[[], None]


def run_stages(out: Path, stages: Sequence[Stage], peers: Peers = ALONE) -> None:
    """Run stages one after the other, and keep a file in `out` that shows the progress.

    If several processes run the project, they start each stage together.
    """
    for number, stage in enumerate(stages, start=1):
        peers.wait()
        log.info(f"[{number}/{len(stages)}] {stage.title}")
        with noted_in(out, stage=number, stages=len(stages), title=stage.title) if peers.is_main else nullcontext():
            stage.run()
