"""The paper's tables of ablations, one project per cell.

config          the settings that all cells share, and where the files lie
tables          the cells of each table (ablations.toml)
cell            one cell in a process of its own
ablation_table  a table of finished cells as Markdown, CSV and JSON
run             all cells of a table
"""
