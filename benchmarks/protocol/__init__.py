"""Protocols: frozen, named descriptions of how errors are measured.

definition  the parts of a protocol: crop, landmarks, frames, regressions
faces       protocols on faces
bodies      protocols on birds, people and others
named       all protocols by name; `python -m benchmarks.protocol.named` prints the table of the documentation
"""
