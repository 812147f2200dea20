"""Measuring detectors against landmark annotations, and generators without annotations.

Reading order:
    protocol/    what a benchmark consists of: crop, landmarks, frames, regressions, headline
    datasets/    annotated data sets in memory, and one loader per data set on disk
    metrics/     errors and distances, one family per file
    evaluation/  predictions, data and a protocol to the rows of a result
    tables/      results and published numbers as tables
    benchmarking a whole benchmark behind one call
    reporting/   a project as one HTML page
    studies/     measures that need no annotations, and experiments
    measurement_records
                 files of numbers other than results, as they are read back
    ablations/   the paper's tables of ablations, one project per cell
    speed/       seconds of everything that takes long
    describe     a summary of files of numbers, for `kpdetect info`

A benchmark has two stages with a predictions file between them: `evaluation.predict` needs a detector, `evaluation.evaluate`
needs its predictions alone.
"""
