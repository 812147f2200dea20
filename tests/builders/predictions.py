"""Entries of a predictions file."""

from __future__ import annotations

import numpy as np

from benchmarks.evaluation.prediction_file import Entry
from kpdetect.inference.predictions import Predictions


def entry(key: str = "a" * 16, data: str = "toy", seen: np.ndarray | None = None) -> Entry:
    random = np.random.default_rng(ord(key[0]))
    return Entry(
        data=data,
        predictions=Predictions(
            images=["b/ä.png", "a,1.png"],
            keypoints_px=random.normal(size=(2, 3, 2)).astype(np.float32),
            confidence=random.random((2, 3)).astype(np.float32),
            sizes=np.array([[7, 9], [20, 30]]),
        ),
        contents=["0" * 16, "1" * 16],
        seen=seen,
        model={"hash": key, "minutes": {"detector": 2.5}},
        environment={"commit": "c0ffee"},
    )
