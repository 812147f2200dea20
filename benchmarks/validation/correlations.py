"""Rank correlations (Spearman) between evidence and truth: over all detectors, and within each category.

A fitted combination of evidence is judged with one category left out: its weights come from the other categories, and its
predictions for all left-out categories are correlated together.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from kpdetect.markdown import markdown_table

FEWEST = 4
"""A category with fewer detectors has no correlation of its own."""
COMBINED: dict[str, tuple[str, ...]] = {
    "score and confidence, equal weights": ("score", "confidence"),
    "bits and confidence, equal weights": ("joint movements in bits", "confidence"),
}
FITTED: dict[str, tuple[str, ...]] = {
    "score and confidence, fitted": ("score", "confidence"),
    "score, confidence, noise and images explained, fitted": ("score", "confidence", "noise", "images explained"),
}


def correlations(table: pd.DataFrame, truth: str, evidence: Sequence[str]) -> pd.DataFrame:
    """Compute the rank correlation of each kind of evidence with the truth.

    Args:
        table: one row per detector or keypoint, with `category`, the truth and the evidence.
        truth: column of the true error.
        evidence: columns of the evidence.

    Returns:
        One row per kind of evidence; columns `all`, one per category, and `left out`: the weakest correlation over the tables
        in which one category is missing.
    """
    categories = sorted(table["category"].unique())
    rows = {}
    for name in evidence:
        within = {each: _rank(table[table["category"] == each], name, truth) for each in categories}
        without = [_rank(table[table["category"] != each], name, truth) for each in categories if len(categories) > 1]
        weakest = min(without, key=abs) if without else float("nan")
        rows[name] = {"all": _rank(table, name, truth), **within, "left out": weakest}
    return pd.DataFrame(rows).T


def combined(table: pd.DataFrame, truth: str) -> pd.DataFrame:
    """Return the table with the combinations of `COMBINED` and, predicted with a category left out, of `FITTED`."""
    table = table.copy()
    for name, parts in COMBINED.items():
        columns = table[list(parts)]
        table[name] = ((columns - columns.mean()) / columns.std().replace(0, 1)).mean(axis=1)
    for name, parts in FITTED.items():
        table[name] = _left_out(table, truth, list(parts))
    return table


def _left_out(table: pd.DataFrame, truth: str, parts: list[str]) -> pd.Series[float]:
    """Predict the truth of each category by least squares on the other categories."""
    predicted = pd.Series(np.nan, index=table.index)
    for category in table["category"].unique():
        inside = table["category"] == category
        if inside.all():
            continue
        fitted = np.column_stack([table.loc[~inside, parts], np.ones((~inside).sum())])
        weights = np.linalg.lstsq(fitted, table.loc[~inside, truth], rcond=None)[0]
        predicted[inside] = np.column_stack([table.loc[inside, parts], np.ones(inside.sum())]) @ weights
    return predicted


def _rank(table: pd.DataFrame, name: str, truth: str) -> float:
    if len(table) < FEWEST or table[name].nunique() < 2:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(table[name].corr(table[truth], method="spearman"))


def by_state(keypoints: pd.DataFrame) -> pd.DataFrame:
    """Describe the unexplained motion of keypoints in each state: their number, 10 %, median and 90 %."""
    groups = keypoints.groupby("state")["unexplained"]
    return pd.DataFrame(
        {"keypoints": groups.size(), "10 %": groups.quantile(0.1), "median": groups.median(), "90 %": groups.quantile(0.9)}
    ).sort_values("median")


def pipe_table(table: pd.DataFrame) -> str:
    """Write a table as Markdown, with two decimals and nothing for unknown values."""
    rows = [
        [str(name), *("" if pd.isna(value) else f"{value:.2f}".removesuffix(".00") for value in values)]
        for name, values in zip(table.index, table.itertuples(index=False), strict=True)
    ]
    return markdown_table(["", *map(str, table.columns)], rows)
