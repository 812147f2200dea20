"""The detector: an image in, heatmaps of keypoints out.

config       every choice
backbone     ResNets and other networks from timm, and their installed ImageNet weights; the one module that imports timm
model        backbone and head built from a configuration
network      backbone, transposed convolutions up to the heatmaps, and the keypoints that a heatmap stands for
pyramid      instead of these convolutions: a head that joins feature maps of several sizes
folding      a trained detector with batch norm folded into its convolutions
losses       one function per term
batches      augmented batches from folders of pairs, prepared ahead
held_out     errors on pairs that the detector was not trained on, and when to stop
calibration  confidence as a probability, and its reliability plot
train        the training loop
trial        the price of a training, before it begins
"""
