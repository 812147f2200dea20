"""Measure the time from a drag on the studio's Edit page to its picture: `python -m kpdetect.studio.latency MODEL...`.

The system's Chromium, driven by playwright, drags a keypoint at the rate of a mouse. The page measures the time from each
pointer event to the screen frame that shows its picture. If a newer event comes before a picture is drawn, the older event is
skipped."""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kpdetect.errors import InputError
from kpdetect.module_command import exit_code, module_parser
from kpdetect.studio.server import Served, open_studio
from kpdetect.studio.workplace import open_workplace

MODELS = ("faces-64", "flies-64", "faces-128")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
"""Arguments of a browser that runs as root, without a screen, and without access to the network."""
EVENTS, EVERY_MS = 120, 16
"""Number of pointer events of a drag, and the time between them in milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Times in milliseconds from pointer events to their pictures.

    Attributes:
        model: name of the model.
        side: side of its images in pixels.
        drawn: number of pictures that were shown during the drag.
        median, p95, worst: median, 95th percentile and maximum of their times.
    """

    model: str
    side: int
    drawn: int
    median: float
    p95: float
    worst: float


def find_browser() -> str:
    """Return the path of the system's Chromium.

    Raises:
        InputError: Chromium is not installed.
    """
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise InputError("no Chromium here; apt-get install chromium")
    return found


def measure_latency(model: str, events: int = EVENTS) -> Latency:
    """Drag a keypoint of a model's first sample and measure the times.

    Raises:
        InputError: the browser, its driver or the model is missing.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise InputError("the package playwright is not installed; pip install playwright") from error
    with tempfile.TemporaryDirectory() as out:
        served = open_studio(open_workplace(Path(model), out=Path(out)))
        thread = threading.Thread(target=served.run, daemon=True)
        thread.start()
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
                side, times = _dragged(browser, served, events)
                browser.close()
        finally:
            served.server.should_exit = True
            thread.join(20)
    median, p95, worst = (float(np.percentile(times, share)) for share in (50, 95, 100))
    return Latency(model=model, side=side, drawn=len(times), median=median, p95=p95, worst=worst)


def _dragged(browser: Any, served: Served, events: int) -> tuple[int, list[float]]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(served.address.replace("/?", "/edit?"))
    page.wait_for_selector("body[data-drawing='no']", timeout=120_000)
    page.wait_for_selector(".thumb:nth-child(24) img[src]", timeout=120_000)  # nothing else is being drawn
    box = page.locator(".stage .point[data-id='0'] .dot").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(events):
        if step == 10:  # the first pictures warm the model and the browser up
            page.evaluate("window.studio.latencies.length = 0")
        angle = 2 * math.pi * step / 60
        page.mouse.move(x + 20 * math.sin(angle), y + 12 * (1 - math.cos(angle)))
        page.wait_for_timeout(EVERY_MS)
    page.mouse.up()
    page.wait_for_selector("body[data-drawing='no']")
    return int(page.evaluate("document.querySelector('.stage canvas').width")), list(page.evaluate("window.studio.latencies"))


def main() -> int:
    """Print one line per model."""
    parser = module_parser("kpdetect.studio.latency", __doc__)
    parser.add_argument("models", nargs="*", default=MODELS, help="models to drag in; three of the package unless given")
    models = parser.parse_args().models
    return exit_code(lambda: _measure(models))


def _measure(models: Sequence[str]) -> None:
    for model in models:
        found = measure_latency(model)
        spread = f"median of {found.drawn} pictures; 95 % within {found.p95:.0f} ms, worst {found.worst:.0f} ms"
        print(f"{found.model} ({found.side} px): {found.median:.0f} ms from pointer to picture ({spread})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
