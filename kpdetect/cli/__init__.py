"""The command line: one file per verb, thin; the work is done elsewhere.

start     where the command begins
main      the command `kpdetect`, and how errors are shown
verbs     the table of verbs
options   options that several verbs share
levels    the option `--levels`
alone     one command at a time writes into a folder
memory    errors that mean that the memory is full

A verb imports the packages that do its work inside its function, so that `kpdetect --help` loads nothing heavy.
"""
