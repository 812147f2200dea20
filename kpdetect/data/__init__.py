"""Training data on disk, and its readers and writers.

name_lists    lists of image names, and the images that they mean
folder        a folder of real images, decoded once into a memory-mapped cache
sample        a few images of a folder, to try a training on
cache_file    the file of the cache, whose pixels are written without HDF5
crop_sources  the images that crops were cut from
schema        the fields of a shard, and of a manifest of pairs
derived       a record of files that are made from other files, and kept current
shard         an open shard, and the encoding of its images
writer        writes a shard, completely or not at all
reader        reads a folder of shards
export        writes pairs from any source into a folder of shards
dataset       shards as a torch data set, and a shuffled reading order
augment       augmentation of pairs: changes of pixels and exact warps
batch_augment exact warps of a whole batch of pairs, on any device
batch_pixels  the photometric changes of a whole batch
batch_jpeg    what JPEG does to a batch
device_images images that stay on a device, or are copied there ahead of their use
coco          pairs as COCO keypoints
webdataset    pairs as WebDataset archives
"""
