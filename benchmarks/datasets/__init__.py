"""Data sets with annotated landmarks: `landmarks` is the data in memory, every other file reads one layout on disk."""
