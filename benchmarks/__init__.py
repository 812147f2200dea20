"""Measuring detectors against landmark annotations, and generators without annotations.

Reading order:
    protocol/    the protocol of a benchmark: crop, landmarks, frames, regressions, headline
    datasets/    annotated data sets in memory, and one loader per data set on disk
    metrics/     errors and distances, one family per file
    evaluation/  the rows of a result, from predictions, data and a protocol
    tables/      results and published numbers as tables
    benchmarking/
                 a whole benchmark in one call
    reporting/   a project as one HTML page
    studies/     measures that need no annotations, and experiments
    validation/  does the verdict without annotations predict the error?
    measurement_records
                 records of the files with measured numbers
    ablations/   the paper's tables of ablations, one project per cell
    comparison/  the methods of `kpdetect run` and baselines on several sets, with equal budgets
    speed/       speed of trainings and other long computations
    describe     summaries of files with measured numbers, for `kpdetect info`

A benchmark has two stages with a predictions file between them. `evaluation.predict` needs a detector; `evaluation.evaluate`
needs only the predictions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpdetect.lazy_names import lazy_names

PLACES = {
    "benchmark": "benchmarks.benchmarking.benchmark:benchmark",
    "BenchmarkResult": "benchmarks.benchmarking.benchmark:BenchmarkResult",
    "cross_validate": "benchmarks.benchmarking.model_choice:cross_validate_model",
    "CrossValidationResult": "benchmarks.benchmarking.model_choice:CrossValidationResult",
    "protocols": "benchmarks.protocol.named:protocols",
    "Protocol": "benchmarks.protocol.definition:Protocol",
    "report": "benchmarks.reporting.report:write_report",
}
"""The module and the name in it of every public name."""
__all__ = [
    "BenchmarkResult",
    "CrossValidationResult",
    "Protocol",
    "benchmark",
    "cross_validate",
    "protocols",
    "report",
]

if TYPE_CHECKING:
    from benchmarks.benchmarking.benchmark import BenchmarkResult, benchmark
    from benchmarks.benchmarking.model_choice import CrossValidationResult
    from benchmarks.benchmarking.model_choice import cross_validate_model as cross_validate
    from benchmarks.protocol.definition import Protocol
    from benchmarks.protocol.named import protocols
    from benchmarks.reporting.report import write_report as report
else:
    __getattr__, __dir__ = lazy_names(__name__, PLACES)
