"""From a detector and annotated data to the rows of a result.

contamination     whether the model was trained on test images
prediction_file   predictions.h5: keypoints by data set and checkpoint
predict           a detector and data to a predictions file
measured_model    the subject of a benchmark: a model, its predictions, or the baselines alone
regression        least squares from predicted keypoints to annotated landmarks
baselines         the mean shape, a fixed grid, pixels, and features of a random network
supervised        the ceiling: a detector that is trained on labels
result_row        one line of a result
evaluate          predictions, data and a protocol to rows
cross_validation  the error inside the fitting images
label_counts      the error against the number of labels
results           rows and provenance to a result file and back, and the errors of every image
"""
