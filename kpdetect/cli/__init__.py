"""The command line: one short file per verb. The library does the work.

start        where the command begins
main         the command `kpdetect`; prints errors
verbs        the table of verbs
options      options that several verbs share
levels       the option `--levels`
flags        turns parameter names in messages of the library into options
torchrun     runs a command in the processes of torchrun
folder_lock  a lock: one command at a time writes into a folder
memory       recognises errors of a full memory

A verb imports the library inside its function, so that `kpdetect --help` loads no large package.
"""
