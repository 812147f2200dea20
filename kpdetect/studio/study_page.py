"""A user study as one self-contained HTML file, for participants elsewhere. It saves their answers as a file to import."""

from __future__ import annotations

import base64
import html
import json
from importlib import resources
from pathlib import Path
from typing import Any

from kpdetect.studio.study import CAPTIONS, PICTURES, Study
from kpdetect.studio.study_order import ORDERS, shown_order

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def trial_of(study: Study, order: int) -> list[dict[str, Any]]:
    """List what the participants with order number `order` see.

    Each entry has the index of the question, and the pictures of both sides as paths below `pictures`.
    """
    shown = []
    for each in shown_order(study, order):
        item = study.items[each.item]
        kinds = study.questions[item.question].shows
        sides = [
            [{"caption": CAPTIONS[kind], "file": study.files[f"{study.methods[side]}/{kind}/{item.name}"]} for kind in kinds]
            for side in (each.left, each.right)
        ]
        shown.append({"question": item.question, "left": sides[0], "right": sides[1]})
    return shown


def study_page(folder: Path, study: Study) -> str:
    """Make the HTML page of a study. It contains the pictures as data addresses, all orders, and the JavaScript module."""
    static = resources.files("kpdetect.studio").joinpath("static")
    pictures = {name: _address(folder / PICTURES / name) for name in sorted(set(study.files.values()))}
    facts = {
        "study": study.name,
        "seed": study.seed,
        "questions": [question.model_dump(mode="json") for question in study.questions],
        "orders": [trial_of(study, number) for number in range(ORDERS)],
        "pictures": pictures,
    }
    script = static.joinpath("trial.js").read_text(encoding="utf-8").replace("export ", "")
    style = static.joinpath("studio.css").read_text(encoding="utf-8")
    content = json.dumps(facts).replace("<", "\\u003c")  # the data must not end the script element
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{html.escape(study.name)}</title>
<style>
{style}
</style>
</head>
<body class="alone">
<main id="room" tabindex="-1"></main>
<script type="application/json" id="study">{content}</script>
<script type="module">
{script}
runAlone(document.getElementById("room"), JSON.parse(document.getElementById("study").textContent));
</script>
</body>
</html>
"""


def _address(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
