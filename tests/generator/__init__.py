"""Tests of `generator`."""
