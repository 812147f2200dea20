"""Editing of generated images: move, exchange, mix or remove parts.

parts    edits of drawn parts as pure functions, in normalised coordinates
editor   the same edits by name and in pixels, on a trained generator
photo    keypoints of a real image, for its pose
options  the edits of `kpdetect edit`
output   the files that `kpdetect edit` writes
tiles    tiles of the sheets that compare images
"""
