"""Learning from real, unlabelled images: the second stage of a detector, and a discovery method of its own.

config          every choice; what `refine` and `imm` switch on
views           two smoothly warped views of every real image, one of them recoloured
reconstruction  an image from the look of one view and the keypoints of another (IMM), compared in perceptual features
anchor          the detector that is continued, and synthetic pairs that keep its keypoints where they were
collapse        keypoints that drift away or fall together stop the run
train           the training loop
trial           the price of a training, before it begins
"""
