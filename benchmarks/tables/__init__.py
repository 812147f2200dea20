"""Results and published numbers as tables.

published    numbers from the literature (baselines.toml), with citation, table and row
table        results to a table for each protocol and data set
render       tables as Markdown, LaTeX and CSV
table_files  the files of `kpdetect table`
"""
