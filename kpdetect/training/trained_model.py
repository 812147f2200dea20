"""The result of a training, as functions return it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kpdetect.training.run_folder import read_metrics

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A run folder after its training.

    Attributes:
        path: the run folder.
        weights: the weights file in it, which every function takes as a model.
    """

    path: Path
    weights: Path

    def to_pandas(self) -> pd.DataFrame:
        """The metrics that the training logged, one row per logged step."""
        import pandas as pd

        return pd.DataFrame(read_metrics(self.path / "metrics.jsonl"))
