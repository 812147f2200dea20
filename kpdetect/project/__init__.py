"""`kpdetect run`: from a folder of images to a detector, keypoints and a report. This package may import all other packages.

config    the settings of a project, and the shares of its training minutes
outdated  removes the results of stages whose inputs have changed
price     a forecast of the time, memory and disk that a project needs, measured before it begins
rounds    rounds of self-training
rounds_config
          the settings of self-training
stage       a stage of a project, and a function that runs all stages
run_stages  the stages of a project
setting_names
          the names that settings of a training have inside a project
pipeline    a function that runs the whole project
detector_training, generator_training
          a function for each single training
"""
