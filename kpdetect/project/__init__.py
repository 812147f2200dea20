"""`kpdetect run`: from a folder of images to a detector, keypoints and a report. This package may import everything else.

config    the choices of a project, and how its training minutes are shared
outdated  stages that were made from something that has changed since
rounds    rounds of self-training
pipeline  all stages behind one call
"""
