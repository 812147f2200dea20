"""Train a detector on real, unlabelled images: refine a trained detector, or discover keypoints from the start (IMM).

config          the settings, and the differences between `refine` and `imm`
views           two smoothly warped views of every real image, one of them with other colours
device_views    the same views, made on the device of the networks
reconstruction  an image drawn from the appearance of one view and the keypoints of another (IMM)
anchor          the detector that is refined, and pairs that keep its keypoints at their places
collapse        a check that stops the run if keypoints drift away or move to one point
train           the training loop
trial           the price of a training, before it begins
"""
