"""Errors and distances, one family per file.

units        the length that errors are divided by
nme          normalised mean error, and the percentage of correct keypoints
difference   the difference of two errors, with its interval
cpd          whether each embedding controls a part of its own
overlap      overlap of foreground masks
consistency  keypoints under known warps
keypoint_quality
             motion, steadiness and duplicates of keypoints
frechet      distance of two sets of images
extractors   the features in which that distance is measured
"""
