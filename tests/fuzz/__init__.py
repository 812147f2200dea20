"""Damaged files of every kind that kpdetect reads, and whether each ends in one line.

    python -m tests.fuzz --inputs 5000 --seed 0     the long run
    python -m tests.fuzz --seed 0 --only 1234       one input again, with its traceback

`originals` makes a small right file of every kind, `mutations` damages it, `readers` gives it to the code behind the commands,
`campaign` runs that in processes that may hang or crash, and counts.
"""
