"""From a detector and annotated data to the rows of a result.

contamination     whether the model was trained on test images
prediction_file   predictions.h5: keypoints by data set and checkpoint
predict           the keypoints of a detector on a data set, written to a predictions file
measured_model    what a benchmark measures: a model, stored predictions, or the baselines alone
regression        least squares from predicted keypoints to annotated landmarks
baselines         the mean shape, a fixed grid, pixels, and features of a random network
supervised        the ceiling, a supervised reference: a detector that is trained on labels
result_row        one row of a result
placed            annotated images in the coordinates of one regression, and errors there
evaluate          the rows of a result, from predictions, data and a protocol
cross_validation  the cross-validated error inside the fitting images
label_counts      the error as a function of the number of labels
results           result files, and tables with the errors of every image
"""
