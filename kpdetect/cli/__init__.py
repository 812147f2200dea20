"""The command line: one file per verb, thin; the work is done elsewhere.

main      the command `kpdetect` and how errors are shown
options   options that several verbs share
upper     the table through which verbs reach the packages above this one
"""
