"""The ablation tables of the LatentKeypointGAN paper (He et al. 2021). Each cell of a table is a separate training.

config          the settings that all cells share, and the layout of the folder
tables          the cells of each table (ablations.toml)
cell            training and measurement of one cell, in a separate process
ablation_table  a table of finished cells as Markdown, CSV and JSON
run             training of all cells of a table
"""
