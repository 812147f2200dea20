"""Names by which files of numbers say what they are, for readers that need nothing else of what wrote them."""

from __future__ import annotations

ABLATION = "kpdetect-ablation"
ABLATION_CELL = "kpdetect-ablation-cell"
CONTROL = "kpdetect-control"
EMBEDDINGS = "kpdetect-embeddings"
MEASURED = "kpdetect-measured"
NEAREST = "kpdetect-nearest"
VERDICT = "kpdetect-verdict"
