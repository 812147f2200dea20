"""Descriptions of detectors, as weights files hold them."""

from __future__ import annotations

import json

from kpdetect.training.model_description import DetectorDescription


def detector_description(**values):
    """The description of a detector with these values, and an empty configuration."""
    return DetectorDescription.model_validate_json(json.dumps({"kind": "detector", "version": 1, "config": {}, **values}))
