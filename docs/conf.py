"""Sphinx configuration: MyST pages, the command reference from the commands, the Python reference from docstrings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx

from kpdetect import __version__

HERE = Path(__file__).parent
REPOSITORY = HERE.parent

project = "kpdetect"
author = copyright = "The kpdetect developers"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"kpdetect {__version__}"
exclude_patterns = ["_build"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
nitpicky = False
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

COMMANDS = HERE / "reference" / "commands.md"
"""Written before every build from the commands themselves; not in version control."""


def write_commands(app: Sphinx) -> None:
    """Write the command reference with typer's own generator."""
    call = [sys.executable, "-m", "typer", "kpdetect.cli.main", "utils", "docs", "--name", "kpdetect"]
    text = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    COMMANDS.write_text(re.sub(r"^# `kpdetect`", "# Commands", text), encoding="utf-8")


def leave_out_maps(app: Sphinx, what: str, name: str, object_: object, options: object, lines: list[str]) -> None:
    """Leave out the docstrings of packages: they are maps for readers of the source."""
    if what == "module":
        lines.clear()


def setup(app: Sphinx) -> None:
    """Register the command reference and the filter of docstrings."""
    app.connect("builder-inited", write_commands)
    app.connect("autodoc-process-docstring", leave_out_maps)
