"""`kpdetect run`: from a folder of images to a detector, keypoints and a report. This package may import all other packages.

config    the settings of a project
budget    the shares of its minutes that the stages get, and the number of pairs
detector_choice
          chooses the detector that is used among those that a project has trained
keypoint_choice
          keeps the most informative of the keypoints that a project has learned
orientation
          the directions of the objects: chosen by the user or by a test, and the settings that follow from them
method_choice
          chooses the method of a project
job       the inputs, settings and limits of a project and of its trainings
outdated  removes the results of stages whose inputs have changed
price     a forecast of the time, memory and disk that a project needs, measured before it begins
sample_pairs
          pairs made from sampled images, for this forecast
rounds    rounds of self-training
rounds_config
          the settings of self-training
correspondence
          finds keypoints by clusters of pretrained features, for the method `correspondence`
correspondence_pairs
          pairs of the images and these keypoints
matched_images
          whether keypoints that were found earlier belong to the present images
feature_network
          the pretrained network of this method
stage       a stage of a project, and a function that runs all stages
run_stages  the stages of a project
setting_names
          the names that settings of a training have inside a project
pipeline    a function that runs the whole project
detector_training, generator_training
          a function for each single training
"""
