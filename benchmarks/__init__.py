"""Measuring detectors against landmark annotations. Read the files in this order:

protocol     what a benchmark consists of: crop, landmarks, frames, regressions, headline
protocols    the named ones, on faces (protocol_faces) and on birds, people and others (protocol_bodies)
datasets/    landmarks (the data in memory), regions (their crops) and one loader per data set on disk
regression   least squares from predicted keypoints to annotated landmarks
metrics/     errors, one family per file
baselines    what a detector has to beat: the mean shape, a fixed grid, pixels, features of a network with random weights
supervised   the ceiling: a detector that is given labels
evaluate     predictions + data + protocol -> rows
rows         the line of a result
contamination
             did the model see the test images?
prediction_file
             predictions.h5: keypoints by data set and checkpoint
predict      detector + data -> predictions.h5
subject      what is measured: a model, predictions, or the baselines alone
error_table  errors of every test image, beside a result
results      rows + provenance -> a result file, and back
label_counts, cross_validation
             the error against the number of labels; inside the fitting images
published    numbers from the literature (baselines.toml), with citation, table and row
table        results -> a table for each protocol and data set
render, table_csv, table_files
             tables as Markdown, LaTeX and CSV
figures, charts, motion
             pictures for a page
report_results, report
             results and a project folder -> one HTML page
locality     how much of an edit of one keypoint lies near it
run          a whole benchmark behind one call
squares, drawn, extractors
             real images in a generator's frame, images drawn to be measured, features to compare them in
measure, control, embeddings
             numbers without annotations, what controls what, embeddings as clouds
evidence, verdict, judging
             label-free evidence on keypoints, its verdict in sentences, and both for a model
project      what a project is asked for
rounds       self-training, the stages that may be repeated
shares       how a project's training minutes are shared
pipeline     the whole chain from images to a report behind one call
ablations/   the paper's tables, a project a cell
schemas, describe
             what files of numbers call themselves, and what `kpdetect info` says of them
outdated     which stages of it have to be made anew

Two stages with a predictions file between them: `predict` needs a detector, `evaluate` needs only its predictions.
"""
