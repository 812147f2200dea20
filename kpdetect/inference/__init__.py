"""Using a trained detector.

config               every choice of `kpdetect predict`
labels               names, pairs, links and dropped keypoints, stored beside a model's weights
engine               what computes the network: torch or onnxruntime
onnx_graph           an exported detector as a graph
predictor            images to keypoints in their own pixels
second_pass          the square that the second of two passes sees
test_time_averaging  predictions averaged over scales and the mirror image, with one pass or two
predictions          keypoints of many images or frames, in memory and as files
prediction_record    the record beside them
corrections          keypoints that a person has checked
formats/             the same in the formats of other tools
boxes                parts of images to predict in, from a file or around predicted keypoints
sources              files, folders, patterns and webcams as lists of images and videos
clip_reader          frames of a video, a webcam or a stack of pages, one at a time
video                reading videos
webcam               reading a webcam
page_reader          reading image files of several pictures as clips
overlay_video        writing videos with keypoints drawn in
earlier_results      whether a folder holds the results of the same call already
image_job            predicting images
video_job            predicting a video, smoothed over time
prediction_job       predicting every input of a command
labelling            changing labels
crop                 parts of images as images of their own
pseudo_labels        real images with predicted keypoints as training pairs
recalibration        measuring the confidence of a trained detector again
packing              a model as a folder to give away
export               a detector as a file that runs without this project
describe             a summary of any file that this project writes
"""
