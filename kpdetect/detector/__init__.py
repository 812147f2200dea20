"""The detector: a network from an image to heatmaps of keypoints.

config       the settings
backbone     ResNets and other networks from timm, and their installed ImageNet weights; the one module that imports timm
model        backbone and head built from a configuration
resnet       the networks that a trained detector needs no timm for
network      backbone, transposed convolutions up to the heatmaps, and the keypoints that a heatmap stands for
pyramid      a head that joins feature maps of several sizes, as an alternative to these convolutions
folding      a trained detector with batch norm folded into its convolutions
losses       the loss terms, one function each
batches      augmented batches from folders of pairs, prepared in advance
device_batches
             the same batches, varied on the device of the networks
learned      the pairs that a detector is trained on, and how they are told apart
held_out     errors on held-out pairs, and the decision when to stop
calibration  confidence as a probability, and its reliability plot
train        the training loop
trial        the price of a training, before it begins
"""
