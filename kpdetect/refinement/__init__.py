"""Train a detector on real, unlabelled images.

`refine` trains a trained detector further. `imm` trains a new detector from random weights, as IMM does (Jakab et al. 2018,
"Unsupervised Learning of Object Landmarks through Conditional Image Generation").

config          the settings, and the differences between `refine` and `imm`
views           two smoothly warped views of every real image, one of them with other colours
device_views    the same views, made on the device of the networks
reconstruction  an image drawn from the appearance of one view and the keypoints of another (IMM)
anchor          the detector that is refined, and generated pairs that keep its keypoints at their places
collapse        a check that stops the run if keypoints drift away or move to one point
job             the inputs, settings and limits of one training
train           the training loop
cost            a forecast of the time, memory and disk that a training needs
"""
