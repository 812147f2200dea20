"""All protocols by name. The name is part of every result, and its meaning never changes.

`benchmarks.protocol.definition` defines the parts of a protocol. `benchmarks.protocol.faces` and `benchmarks.protocol.bodies`
explain the source of each protocol and our choices.
"""

from __future__ import annotations

from benchmarks.protocol.bodies import BODY_PROTOCOLS, FLIES, OWN_REGRESSIONS, TOY
from benchmarks.protocol.definition import Crop, Distance, Frame, Origin, Protocol, Regression, Unit
from benchmarks.protocol.faces import CELEBA_PIXELS, FACE_PROTOCOLS, MAFL_ALIGNED, MTFL, SQUARE_128
from kpdetect.errors import InputError
from kpdetect.markdown import markdown_table

__all__ = [
    "CELEBA_PIXELS",
    "FLIES",
    "MAFL_ALIGNED",
    "MTFL",
    "OWN_REGRESSIONS",
    "PROTOCOLS",
    "SQUARE_128",
    "TOY",
    "Crop",
    "Distance",
    "Frame",
    "Origin",
    "Protocol",
    "Regression",
    "Unit",
    "find_protocol",
    "markdown_protocols",
    "protocols",
]

PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in (*FACE_PROTOCOLS, *BODY_PROTOCOLS)}
WHOLE = "the whole image"


def find_protocol(name: str) -> Protocol:
    """Return the protocol with a name.

    Raises:
        InputError: there is no such protocol.
    """
    if name not in PROTOCOLS:
        raise InputError(f"protocol '{name}': no such protocol; expected one of {', '.join(PROTOCOLS)}, or table:FILE")
    return PROTOCOLS[name]


def facts(protocol: Protocol) -> dict[str, str]:
    """Describe a protocol in words: a text for each of its parts, by the name of the part."""
    others = [regression.name for regression in protocol.regressions if not regression.headline]
    return {
        "images": protocol.images,
        "crop": WHOLE if protocol.crop is None else protocol.crop.name,
        "split": protocol.split,
        "regression": f"{protocol.headline.name} (headline); also {'; '.join(others)}",
        "normaliser": protocol.normaliser,
        "error": protocol.metric,
        "PCK": f"within {' / '.join(f'{limit:g}' for limit in protocol.thresholds)}",
        "source": protocol.source,
    }


def protocols() -> list[Protocol]:
    """List all named protocols."""
    return list(PROTOCOLS.values())


def markdown_protocols() -> str:
    """Render the table of docs/reference/protocols.md. Each protocol has a row, with its main regression (headline) only."""
    header = ("protocol", "images", "crop", "split", "headline regression", "error", "source")
    rows = []
    for name, protocol in PROTOCOLS.items():
        words = facts(protocol)
        row = (f"`{name}`", words["images"], words["crop"], words["split"], protocol.headline.name, words["error"])
        rows.append((*row, words["source"]))
    return markdown_table(header, rows)


if __name__ == "__main__":
    print(markdown_protocols())
