"""Predictions in the formats of other tools; the long CSV is written in any case.

choice         which formats there are, and writing those asked for
deeplabcut     dlc-csv and dlc-h5
coco           COCO keypoints
sleap          SLEAP analysis HDF5
yolo           YOLO pose
label_studio   Label Studio, pre-annotations to correct

Every writer takes predictions, the confidence below which a keypoint counts as missing, and a folder, and returns what it
wrote. Coordinates are converted to each tool's own frame; ours has integers at pixel centres.
"""
