"""Annotated data sets.

regions             the part of an image that a protocol measures
landmarks           images, landmarks and splits in memory
annotation_table    landmarks as a table with one image a line
annotation_formats  tables of landmarks in the formats of other tools
coco                COCO keypoints
text_and_matlab     annotations in text files and MATLAB files
own_table           a user's own table
loaders             the loader of each data set, by name

Every other file loads one data set in its official layout.
"""
