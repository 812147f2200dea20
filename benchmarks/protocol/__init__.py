"""Protocols: frozen, named descriptions of how errors are measured.

definition  crop, landmarks, frames, regressions, headline
faces       protocols on faces
bodies      protocols on birds, people and others
named       all of them by name; `python -m benchmarks.protocol.named` writes the page of the documents
"""
