"""Measurements of speed: `python -m benchmarks.speed all|generator|counts|data|pairs|inference|predict|reduced|scale`.

Rates depend on the machine and on its other work, so compare only numbers of one run.

Reading order:
    timing         the median of repeated calls
    operations     floating-point operations of a call, and of its convolutions alone
    generator      training steps, the factorised style convolution, and a profile by operator
    counts         parameters and operations of every model
    data           folders of images: time to list, pack and recognise them, and peak memory
    pairs          image-keypoint pairs: export against drawing alone, training from shards (HDF5 files) against
               training from memory, and peak memory
    everything     all long computations in one table, compared with an earlier table (`all`)
    paired_timing  two computations that take turns, and their row in the table of `everything`
    trainings, stages
               the contests of trainings, and of everything else
    prediction the contests of `predict` on files: engine `torch` against engine `plain`, which decodes whole files
    start_up   the contest of a new process that predicts one image
    predict_stages
               processor time of each stage of `predict` (`predict`)
    reduced_decoding
               movement of keypoints by reduced decoding (`reduced`)
    scale, scale_steps
               what millions of images cost (`scale`)
    inference  detectors in eager mode, compiled and as ONNX; `predict` as a whole
"""
