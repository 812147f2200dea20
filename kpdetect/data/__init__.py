"""Data on disk and on its way into training.

folder   a folder of real images, decoded once into a memory-mapped cache
schema   what a shard and a manifest of image-keypoint pairs hold
codec    images to bytes and back
writer   one shard, written whole or not at all
shard    one open file of pairs
reader   a folder of shards
dataset  shards as a torch data set, and the order to read them in
coco, webdataset  pairs for other programs
augment  photometric changes and exact warps of pairs
"""
