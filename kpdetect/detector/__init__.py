"""The detector: a network from an image to heatmaps of keypoints.

config              the settings
backbone            ResNets and other networks from timm, and their installed ImageNet weights; the one module that imports timm
model               backbone and head built from a configuration
resnet              the ResNets that kpdetect builds without timm
network             the detector's network with its head of transposed convolutions, and keypoints read from its heatmaps
pyramid             another head, which joins feature maps of several sizes
batch_norm_folding  a trained detector with batch norm folded into its convolutions
losses              the loss terms, one function each
batches             augmented batches from folders of pairs, prepared in advance
device_batches
             the same batches, augmented on the device of the networks
learned      the pairs that a detector is trained on, and texts that identify them
held_out     errors on held-out pairs, and the decision when to stop
calibration  confidence as a probability, and its reliability plot
job          the inputs, settings and limits of one training
train        the training loop
cost         a forecast of the time, memory and disk that a training needs
"""
