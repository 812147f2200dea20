"""How verbs reach the packages above kpdetect: by name, imported only when called.

Nothing in kpdetect imports `generator` or `benchmarks`; this table is the one place where they are named.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

TABLE = {
    "preset": "generator.config:preset",
    "architecture": "generator.architectures:architecture",
    "train_generator": "generator.train:train_generator",
    "watched_distance": "benchmarks.extractors:watched_distance",
    "PairStream": "generator.stream:PairStream",
    "export_pairs": "generator.export:export_pairs",
    "Part": "generator.export:Part",
    "write_pseudo_pairs": "generator.pseudo:write_pseudo_pairs",
    "Editor": "generator.editor:Editor",
    "read_edits": "generator.edits:read_edits",
    "read_sample": "generator.edits:read_sample",
    "read_samples": "generator.edits:read_samples",
    "edit_samples": "generator.edited:edit_samples",
    "write_edited": "generator.edited:write_edited",
    "Photo": "generator.edited:Photo",
    "run_project": "benchmarks.pipeline:run_project",
    "run_benchmark": "benchmarks.run:run_benchmark",
    "Source": "benchmarks.subject:Source",
    "Extras": "benchmarks.run:Extras",
    "Annotated": "benchmarks.datasets.table:Annotated",
    "print_protocols": "benchmarks.protocols:print_protocols",
    "run_cross_validation": "benchmarks.run:run_cross_validation",
    "nearest_training_images": "benchmarks.nearest:nearest_training_images",
    "describe_nearest": "benchmarks.nearest:describe",
    "run_ablation": "benchmarks.ablations.run:run_ablation",
    "AblationConfig": "benchmarks.ablations.config:AblationConfig",
    "write_embeddings": "benchmarks.embeddings:write_embeddings",
    "describe_embeddings": "benchmarks.embeddings:describe",
    "write_control": "benchmarks.control:write_control",
    "describe_control": "benchmarks.control:describe",
    "measure": "benchmarks.measure:measure",
    "describe_measured": "benchmarks.measure:markdown",
    "describe_measurements": "benchmarks.describe:describe_measurements",
    "make_table": "benchmarks.table_files:make_table",
    "describe_verdict": "benchmarks.judging:describe_verdict",
    "write_report": "benchmarks.report:write_report",
}


def upper(name: str) -> Any:
    """The object that `TABLE` lists under `name`."""
    module, _, attribute = TABLE[name].partition(":")
    return getattr(import_module(module), attribute)
