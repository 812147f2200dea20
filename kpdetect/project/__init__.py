"""`kpdetect run`: from a folder of images to a detector, keypoints and a report. This package may import all others.

config    the settings of a project, and the shares of its training minutes
outdated  removes stages whose inputs have changed
price     a forecast of a project's course and needs, measured before it begins
rounds    rounds of self-training
rounds_config
          the settings of self-training
stage     a stage, and a function that runs all stages
chain     the stages of a project
pipeline  all stages behind one call
detector_training, generator_training
          single trainings behind one call each
"""
