"""Archives: files that hold many images, and that are inputs as folders are. Their images are read without unpacking.

An archive is used like a folder. ARCHIVE/NAME is the path of the image NAME, and `kpdetect.files.archives.members` reads it.

archive          what all archives have in common
tar_archive      tar files, such as WebDataset shards
hdf5_archive     data sets of encoded images or of pixels in HDF5 files
parquet_archive  columns of encoded images in Parquet files
row_names        names of the rows of a table
several          several archives as one
opening          decides what a path means, and opens it
members          reads the images by their paths
"""
