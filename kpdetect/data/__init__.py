"""Training data on disk: its formats, readers, writers and augmentation. A pair is an image and its keypoints.

name_lists     lists of image names, and the images that each line means
folder         a folder of real images, decoded once into a memory-mapped cache
skipped_images skipped.csv, the images that could not be read
even_spacing   a choice of images that are spread evenly over a sequence
sample         a few images of a folder, on which a command measures the speed of a training before it starts
training_images
               the images that a training reads: a folder, and the names that are left out
cache_file     the HDF5 file of that cache; its pixels are written to the file directly, without the HDF5 library
crop_sources   records of the images from which crops were cut
schema         the format of a shard (an HDF5 file of pairs) and of the manifest of a folder of shards
derived_files  a record of files that are computed from source files; they are computed again when a source file changes
shard          an open shard, and the encoding of its images
shard_writer   writes a shard either completely or not at all
shard_folder   reads a folder of shards
export         writes pairs from any source into a folder of shards
dataset        shards as a torch data set, and a shuffled reading order
augment        augmentation of pairs: changes of pixels and exact warps
batch_augment  exact warps of a whole batch of pairs, on any device
batch_pixels   changes of colour, sharpness, noise and occlusion of a whole batch
batch_jpeg     the losses of JPEG compression, applied to a batch of images
device_images  images that stay on a device, or are copied there before they are used
coco           writes pairs as a COCO keypoints data set
webdataset     writes pairs as WebDataset archives
"""
