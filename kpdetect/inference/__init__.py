"""Using a trained detector.

predictor    images to keypoints in their own pixels
labels       names, pairs, links and dropped keypoints, stored beside a model's weights
label        changing them
confidence   measuring anew how sure a model may be
predictions  keypoints of many images or frames, in memory and as files
formats/     the same in the formats of other tools
config       every choice of `kpdetect predict`
sources      what its inputs are
boxes        parts of images to predict in
found_boxes  those about keypoints that were found
passes       how often and how the detector looks at a picture
second_look  where the second of two looks goes
mirror       which keypoint is which in a mirror image
smoothing    the one-euro filter
overlay      a picture with its keypoints
video        reading and writing videos
folder       predicting images
clips        predicting a video
finished     whether that was done already
job          predicting everything a command was given
export       a detector as a file that runs without this project
describe     what a file written by this project is
"""
