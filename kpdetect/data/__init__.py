"""Data on disk and on its way into training.

name_lists    lists of image names, and what they fit
folder        a folder of real images, decoded once into a memory-mapped cache
sample        a few images of a folder, to try a training on
cache_file    squares in an HDF5 file, written past HDF5
crop_sources  the images that crops were cut from
schema        the fields of a shard and of a manifest of image-keypoint pairs
derived       files made from pairs: current, or made again
shard         one open file of pairs; images to bytes and back
writer        one shard, written whole or not at all
reader        a folder of shards
export        pairs from any source into a folder of shards
dataset       shards as a torch data set, and the order to read them in
augment       photometric changes and exact warps of pairs
coco          pairs as COCO keypoints
webdataset    pairs as WebDataset archives
"""
