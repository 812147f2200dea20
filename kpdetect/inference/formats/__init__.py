"""Write predictions in the formats of other tools. predictions.csv is always written.

choice         the list of formats, and a function that writes the requested ones
deeplabcut     dlc-csv and dlc-h5
coco           COCO keypoints
sleap          SLEAP analysis HDF5
yolo           YOLO pose
label_studio   Label Studio, pre-annotations to correct
parquet        partitioned Parquet, for pandas, DuckDB and Spark

Every writer takes predictions, the confidence below which a keypoint counts as missing, and a folder. It returns the path that
it wrote. Coordinates are converted to the coordinates of each tool; ours have integers at pixel centres.
"""
