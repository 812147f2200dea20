"""Errors and distances, one family per file.

units        the length by which errors are divided
nme          normalised mean error, and the percentage of correct keypoints
difference   the difference between two errors, with its interval
cpd          correlation-based part disentanglement: whether each embedding controls a separate part of the image
overlap      overlap of foreground masks
consistency  consistency of keypoints under known warps
keypoint_quality
             motion, neighbours and duplicates of keypoints
keypoint_coverage
             how much of the object has keypoints near it
keypoint_information
             how much of the images keypoints explain: which keypoints to keep, and how many
frechet      distances between two sets of images
extractors   networks that compute the features for these distances
"""
