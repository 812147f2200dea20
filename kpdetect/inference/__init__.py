"""Use a trained detector.

config               the settings of `kpdetect predict`
scales               the scales over which predictions are averaged, as a checked setting
labels               names, pairs, links and dropped keypoints, stored in the folder of a model's weights
engine               implementations that compute the network: torch or onnxruntime
onnx_graph           the graph of a detector that is exported to ONNX or torch.export
predictor            a detector as a function, from images to keypoints in pixels of each image
second_pass          the part of the image that the detector sees when it predicts the image a second time
test_time_averaging  predictions averaged over scales and the mirror image, with one pass or two
predictions          keypoints of many images or frames, in memory and as files
predictions_folder   reading predictions back, from the table or from Parquet
prediction_record    predictions.json, which records how a table of predictions was made
prediction_rows      the rows of predictions.csv, read some at a time
corrections          keypoints that a person has checked
formats/             predictions in the formats of other tools
boxes                parts of images to predict in, from a file or around predicted keypoints
sources              files, folders, patterns and webcams as lists of images and videos
clip_names           names of videos, which name their folders of results
clip_reader          frames of a video, a webcam or a stack of pages, one at a time
clip_frames          frames of a clip in any order
video                reading videos
video_index          the times of a video's frames, and whether its file is whole
webcam               reading a webcam
page_reader          reading image files of several pictures as clips
overlay_video        writing videos with keypoints drawn in
earlier_results      decides whether a folder already holds the results of the same call
overlay_names        which images get an overlay, and its file name
image_parts          finished parts of a prediction of many images, shared by processes and kept after an interruption
parts_table          the finished parts as one table
overlap              threads that read, predict and draw at the same time
image_job            predicting images
folder_job           predicting one image or the images of a folder
video_job            predicting a video, smoothed over time
prediction_job       predicting every input of a command
labelling            changing labels
crop                 cropping images to boxes
pseudo_labels        real images with predicted keypoints as training pairs
recalibration        measuring the confidence of a trained detector again
model_card           a model card for a packed detector that has none
packing              writing a model as a folder to give to other people
export               exporting a detector to a file that runs without this project
describe             a summary of any file that this project writes
"""
