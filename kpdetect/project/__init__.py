"""`kpdetect run`: from a folder of images to a detector, keypoints and a report. This package may import everything else.

config    the choices of a project, and how its training minutes are shared
outdated  stages that were made from something that has changed since
price     what a project will do and need on this machine, measured before it begins
rounds    rounds of self-training
stage     a stage, and running all of them
chain     the stages of a project
pipeline  all stages behind one call
"""
