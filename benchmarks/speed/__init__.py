"""How fast things are: `python -m benchmarks.speed generator|pairs|inference`.

Rates depend on the machine and on what else it does; compare numbers of one run with each other.

Reading order:
    timing     the median of repeated calls
    generator  training steps, the factorised style convolution, where the time goes
    pairs      export against drawing alone, training from shards against training from memory, memory use
    inference  detectors eager, compiled and ONNX; predict as a whole
"""
