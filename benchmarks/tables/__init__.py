"""Results and published numbers as tables.

published    numbers from the literature (baselines.toml), with citation, table and row
table        tables of results, one per protocol and data set
render       tables as Markdown, LaTeX and CSV
table_files  files of tables, for `kpdetect table`
"""
