"""Fixtures of several test modules of kpdetect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders.studio import ARGUMENTS, find_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none, except in .ci/run."""
    path = find_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()
