"""The result that a training function returns."""

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
        weights: the weights file in the run folder. Functions accept it as a model.
    """

    path: Path
    weights: Path

    def to_pandas(self) -> pd.DataFrame:
        """Make a table of the metrics that the training logged, one row per logged step."""
        import pandas as pd

        return pd.DataFrame(read_metrics(self.path / "metrics.jsonl"))
