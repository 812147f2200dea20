"""The detector: an image in, heatmaps of keypoints out.

config    every choice
backbone  ResNets and other networks from timm; the one module that imports it
installed ImageNet weights of an installed package
head      transposed convolutions up to the heatmaps
model     backbone and head, and what a heatmap means
losses    one function per term
shards    folders of pairs to learn from
batches   augmented batches of pairs, prepared ahead
held_out  what a detector makes of pairs it was not trained on
calibration, reliability_plot
          confidence as a probability, and a picture of how well it keeps its word
train     the training loop
"""
