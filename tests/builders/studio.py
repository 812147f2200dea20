"""A studio that really serves, and a real browser, for the tests of `kpdetect.studio`."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kpdetect.studio.latency import BROWSERS
from kpdetect.studio.server import Served, open_studio
from kpdetect.studio.workplace import Workplace

REQUIRED = "KPDETECT_REQUIRE_BROWSER"
CONTRAST = """() => {
  const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = colour(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest("svg.plot, script, noscript, :disabled, .stage, .thumb")) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(colour(style.color)), light(ground(element))].sort((first, second) => second - first);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${node.textContent.trim().slice(0, 40)}`);
  }
  return poor;
}"""
"""Texts whose contrast is below WCAG AA."""
NAMELESS = """() => [...document.querySelectorAll("button, input, select, a")]
  .filter((each) => each.checkVisibility() && !(each.textContent.trim() || each.ariaLabel || each.title || each.labels?.length))
  .map((each) => each.outerHTML)"""
"""Controls that a screen reader has no name for."""


@contextmanager
def serving(workplace: Workplace) -> Iterator[Served]:
    """A studio that answers in a thread of its own."""
    served = open_studio(workplace)
    thread = threading.Thread(target=served.run, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.server.should_exit = True
        thread.join(20)


def port_of(served: Served) -> int:
    return int(served.address.split(":")[2].split("/")[0])


def token_of(served: Served) -> str:
    return served.address.split("token=")[1]


def ask(
    served: Served, path: str, body: Any = None, *, headers: dict[str, str] | None = None, method: str | None = None
) -> tuple[int, Any]:
    """Status and answer of a request that has the key, JSON read."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(served), timeout=120)
    cookie = {"Cookie": f"kpdetect-studio-{port_of(served)}={token_of(served)}"}
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request(method or ("GET" if body is None else "POST"), path, content, {**cookie, **(headers or {})})
    response = connection.getresponse()
    answer: Any = response.read()
    if (response.getheader("content-type") or "").startswith("application/json"):
        answer = json.loads(answer)
    connection.close()
    return response.status, answer


def find_browser() -> str:
    """The system's Chromium; where there is none, or no driver, tests say so and skip, unless the gate demands it."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        found = None
    if found is None:
        reason = "no Chromium with playwright here; apt-get install chromium, pip install playwright"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Watched:
    """A page of the browser, and what its console complained of. It is empty until a room is opened."""

    def __init__(self, browser: Any, served: Served, theme: str = "light") -> None:
        look = {"viewport": {"width": 1280, "height": 800}, "color_scheme": theme, "reduced_motion": "reduce"}
        self.context = browser.new_context(accept_downloads=True, **look)
        self.page, self.complaints, self.served = self.context.new_page(), list[str](), served
        self.page.set_default_timeout(60_000)
        self.page.on("console", lambda message: self._heard(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._elsewhere(request.url))
        self.key = f"?token={token_of(served)}"  # in the first address; later the browser has it as a cookie

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "willReadFrequently" not in text:  # that is about the tests' own reading
            self.complaints.append(text)

    def _elsewhere(self, url: str) -> None:
        if not url.startswith((f"http://127.0.0.1:{port_of(self.served)}/", "data:", "blob:")):
            self.complaints.append(f"request to {url}")

    def ready(self) -> None:
        self.page.wait_for_selector("body[data-ready]")

    def room(self, name: str = "") -> Any:
        """Open a room. Without a name, open the address that the command prints."""
        self.page.goto(f"http://127.0.0.1:{port_of(self.served)}/{name}{self.key}")
        self.key = ""
        if name != "report":
            self.ready()
        return self.page

    def drawn(self) -> None:
        """Wait until no picture is being drawn."""
        self.page.wait_for_selector("body[data-drawing='no']")


class Held:
    """Requests of a page that wait until the test releases them."""

    def __init__(self, page: Any, pattern: str, wanted: Callable[[Any], bool] = lambda request: True) -> None:
        self.page, self.wanted, self.released = page, wanted, False
        self.routes = list[Any]()
        page.route(pattern, self._take)

    def _take(self, route: Any) -> None:
        if self.released or not self.wanted(route.request):
            route.continue_()
        else:
            self.routes.append(route)

    def wait(self, count: int = 1) -> None:
        """Wait until that many requests are held, and check that there are no more."""
        for _ in range(100):
            if len(self.routes) >= count:
                break
            self.page.wait_for_timeout(50)
        self.page.wait_for_timeout(100)
        assert len(self.routes) == count

    def release(self) -> None:
        self.released = True
        for route in self.routes:
            route.continue_()


def write_project(folder: Path) -> Path:
    """A project of `toy-32` in the layout of `kpdetect run`: generator, detector, metrics, a sheet; no report."""
    import numpy as np

    from kpdetect.images.image_files import write_image
    from kpdetect.shipped import FOLDER

    for kind in ("generator", "detector"):
        (folder / kind).mkdir(parents=True)
        shutil.copyfile(FOLDER / "toy-32" / f"{kind}.safetensors", folder / kind / "model.safetensors")
    lines = [{"step": 50 * n, "images": 1600 * n, "seconds": 30.0 * n, "rate": 53.5, "loss_g": 1 / n} for n in range(1, 6)]
    (folder / "generator" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_image(folder / "generator" / "samples" / "0000250.png", np.full((40, 96, 3), 90, np.uint8))
    return folder


def write_pictures(folder: Path, count: int = 6) -> Path:
    """Cartoon faces of `toy-32`'s generator, 40 pixels high and 48 wide, as 000.png and so on."""
    import numpy as np

    from generator.editing.editor import Editor
    from kpdetect.images.image_files import write_image

    editor = Editor.load("toy-32")
    for number in range(count):
        picture = editor.draw(editor.sample(number))[0]
        write_image(folder / f"{number:03d}.png", np.pad(picture, ((4, 4), (8, 8), (0, 0)), mode="edge"))
    return folder


def picture_of(page: Any, number: int = 0) -> Any:
    """A picture on the page, uint8 [height, width, 3]; the first one unless given."""
    import numpy as np

    code = """(number) => {
      const canvas = document.querySelectorAll(".stage canvas")[number];
      return [canvas.width, canvas.height, [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]];
    }"""
    width, height, values = page.evaluate(code, number)
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]


def place_of(page: Any, keypoint: str) -> tuple[float, float]:
    """Where a keypoint is on the screen."""
    box = page.locator(f".stage .point[data-id='{keypoint}'] .dot").first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Any, keypoint: str, right: float, down: float) -> None:
    """Drag a keypoint by pixels of the screen."""
    x, y = place_of(page, keypoint)
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 5):
        page.mouse.move(x + right * step / 4, y + down * step / 4)
    page.mouse.up()


def said(page: Any, text: str) -> None:
    """Wait for a message on the page, and close it."""
    page.locator(".message", has_text=text).first.wait_for()
    page.evaluate("document.getElementById('messages').replaceChildren()")
