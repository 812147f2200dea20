"""Files on disk. They are written completely or not at all, and read within limits and with clear errors.

reading    turns any failure to read a file into an error of one line that names the file
temporary  temporary names of files that are being written
atomic     writes files that are either complete or absent, and text and JSON files
folders    folders for results, which are removed if nothing is written into them
names      names of inputs, and paths of results that stay inside a folder
listing    lists the files of a folder, without those that this project has written
left_out   what a listing leaves out
endings    endings of names of files with images
name_table a list of many names in little memory
archives/  tar, HDF5 and Parquet files of images, which are used like folders
files_below
           a list of many files of one folder that takes little memory
lock       a lock, so that only one process writes into a folder
hashes     short hashes of files
sources    sources.csv, the list of the real images that a model or file was made from
records    the base class of typed records that are read from files
json_stream   large JSON files, written and read entry by entry
json_yaml  parses JSON and YAML, within limits of size and depth
bounded_yaml
           a YAML loader with limits
tables     reads CSV tables
hdf5_check a program that checks HDF5 files in a separate process
hdf5_guard starts this program and keeps its results
hdf5       opens HDF5 files after such a check
"""
