"""How fast things are: `python -m benchmarks.speed all|generator|counts|data|pairs|inference`.

Rates depend on the machine and on what else it does; compare numbers of one run with each other.

Reading order:
    timing     the median of repeated calls
    operations floating-point operations of a call, and its convolutions alone
    generator  training steps, the factorised style convolution, where the time goes
    counts     parameters and operations of every model
    data       folders of images: listing, packing, recognising; memory
    pairs      export against drawing alone, training from shards against training from memory, memory use
    everything one table of all that takes long, compared with an earlier one
    contest    two things that take turns; a row of that table
    trainings, stages
               the contests: of the trainings, and of everything else
    inference  detectors eager, compiled and ONNX; predict as a whole
"""
