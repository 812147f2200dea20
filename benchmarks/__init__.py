"""Measuring detectors against landmark annotations. Read the files in this order:

protocol     what a benchmark consists of: crop, landmarks, frames, regressions, headline
protocols    the named ones, on faces (protocol_faces) and on birds, people and others (protocol_bodies)
datasets/    landmarks (the data in memory), regions (their crops) and one loader per data set on disk
regression   least squares from predicted keypoints to annotated landmarks
metrics/     errors, one family per file
baselines    what a detector has to beat: the mean shape, and features of a network with random weights
evaluate     predictions + data + protocol -> rows
predict      detector + data -> a predictions folder
contamination
             did the model see the test images?
results      rows + provenance -> a result file, and back
published    numbers from the literature (baselines.toml), with citation, table and row
table        result files -> Markdown and CSV, with published numbers beside them
figures      pictures for a page
report       a project folder -> one HTML page
run          a whole benchmark behind one call
pipeline     the whole chain from images to a report behind one call
outdated     which stages of it have to be made anew

Two stages with a predictions file between them: `predict` needs a detector, `evaluate` needs only its predictions.
"""
