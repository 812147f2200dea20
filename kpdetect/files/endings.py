"""Endings of the names of files that hold images."""

from __future__ import annotations

HEIF = frozenset({".heic", ".heif"})
"""Endings of files that can be read only if kpdetect is installed with the extra `heic`."""
IMAGES = HEIF | {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".avif"}
"""Endings of image files, in lower case."""
TAR = frozenset({".tar"})
HDF5 = frozenset({".h5", ".hdf5", ".hdf"})
PARQUET = frozenset({".parquet", ".pq"})
ARCHIVES = TAR | HDF5 | PARQUET
"""Endings of files that hold many images, see `kpdetect.files.archives`."""
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".zip", ".7z", ".rar")
"""Endings of compressed archives. Their images cannot be read one by one."""
NOTES = frozenset(
    {".csv", ".tsv", ".json", ".jsonl", ".txt", ".md", ".yaml", ".yml", ".toml", ".xml", ".ini", ".db", ".log", ".html"}
)
"""Endings of notes and tables, which often lie in folders of images."""
