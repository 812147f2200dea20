"""Tests of `kpdetect`: the ground floor, `kpdetect run` and the command line."""
