"""The paper's ablation tables on one's own images.

config    what is the same for every cell of a table
tables    the tables: rows, columns, the training behind each cell, published numbers
layout    where things lie
cell      one training and its numbers, in a process of its own
parent    a cell does not outlive the command that started it
run       the cells that are not finished yet, and the table of those that are
render    Markdown, CSV and JSON
"""
