"""Compare the methods of `kpdetect run` and baselines on several sets of annotated images, with equal budgets.

config  the settings: sets, methods and budgets
turns   annotated images in four quarter turns, and how often the ends of an object are exchanged
score   the cross-validated error of keypoints and features
run     training and measurement of each cell, and the table

    python -m benchmarks.comparison SETTINGS.yaml OUT
"""
