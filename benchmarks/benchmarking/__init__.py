"""A whole benchmark in one call.

inputs        the annotated images of a protocol, and the folder of the results
benchmark     read the data, predict, check for contamination, evaluate, write result and table
model_choice  cross-validation inside the fitting images, to choose between models
"""
