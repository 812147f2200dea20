"""Measurements of speed: `python -m benchmarks.speed all|generator|counts|data|pairs|inference`.

Rates depend on the machine and on its other work, so compare only numbers of one run.

Reading order:
    timing     the median of repeated calls
    operations floating-point operations of a call, and of its convolutions alone
    generator  training steps, the factorised style convolution, and a profile by operator
    counts     parameters and operations of every model
    data       folders of images: listing, packing, recognising; memory
    pairs      export against drawing alone, training from shards against training from memory, memory use
    everything one table of all long computations, compared with an earlier table
    contest    two computations that take turns, and their row in that table
    trainings, stages
               the contests of the trainings, and of all other stages
    prediction the contests of predict on files, against the engine that decodes every file whole
    inference  detectors in eager mode, compiled and as ONNX; `predict` as a whole
"""
