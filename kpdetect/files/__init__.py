"""Files on disk: written whole or not at all, read with bounds and clear errors.

reading    the wrapper that turns any failure to read into one line with the file's name
temporary  names of files that are being written
atomic     files that are complete or absent; text and JSON
folders    folders for results, removed when nothing is written
names      inputs as names, and file names that stay inside a folder
listing    the files of a folder, without those that this project writes
lock       one writer per folder
hashes     short hashes of files
sources    sources.csv, the real images behind a file
records    typed records that are read back from files
json_yaml  JSON and YAML of others, bounded before anything is built from them
tables     CSV tables of others
hdf5_check what another process looks at in HDF5 files
hdf5_guard starts that process, and keeps what it says
hdf5       HDF5 files of others, checked before anything is read
"""
