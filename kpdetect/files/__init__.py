"""Files on disk: written completely or not at all, read within limits and with clear errors.

reading    a wrapper that turns any failure to read into one line with the file's name
temporary  names of files that are being written
atomic     files that are complete or absent; text and JSON
folders    folders for results, removed when nothing is written
names      inputs as names, and file names that stay inside a folder
listing    the files of a folder, without those that this project writes
files_below
           many files of one folder, in little memory
lock       one writer per folder
hashes     short hashes of files
sources    sources.csv, the real images behind a file
records    typed records that are read back from files
json_yaml  JSON and YAML from outside, checked for size and depth before they are parsed
tables     CSV tables from outside
hdf5_check the program of a separate process that checks HDF5 files
hdf5_guard starts this process and keeps its results
hdf5       HDF5 files from outside, checked before they are read
"""
