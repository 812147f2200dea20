"""Using a trained detector.

predictor    images to keypoints in their own pixels
predictions  keypoints of many images, in memory and as files
folder       everything in a folder, with overlays
describe     what a file written by this project is
"""
