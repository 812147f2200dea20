"""Annotated data sets.

regions             the regions of images that a protocol crops
landmarks           images, landmarks and their split into fitting and test images, in memory
annotation_table    tables of landmarks with one line per image
annotation_formats  annotation files in the formats of other tools
coco                COCO keypoints
text_and_matlab     annotations in text files and MATLAB files
group_table         groups of images that look alike
own_table           a user's own table
loaders             the loader of each data set, by name

Every other file loads one data set in its official layout.
"""
