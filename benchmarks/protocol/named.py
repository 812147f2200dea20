"""The named protocols. The name is part of every result, and what it stands for does not change.

Types are in `benchmarks.protocol.definition`; what each protocol follows and what is our choice, in
`benchmarks.protocol.faces` and `benchmarks.protocol.bodies`.
"""

from __future__ import annotations

from benchmarks.protocol.bodies import BODY_PROTOCOLS, FLIES, OWN_REGRESSIONS, TOY
from benchmarks.protocol.definition import Crop, Distance, Frame, Origin, Protocol, Regression, Unit
from benchmarks.protocol.faces import CELEBA_PIXELS, FACE_PROTOCOLS, MAFL_ALIGNED, MTFL, SQUARE_128
from kpdetect.errors import InputError

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
    """The protocol of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PROTOCOLS:
        raise InputError(f"protocol '{name}': no such protocol; expected one of {', '.join(PROTOCOLS)}, or table:FILE")
    return PROTOCOLS[name]


def facts(protocol: Protocol) -> dict[str, str]:
    """What a protocol fixes, in words."""
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
    """All named protocols."""
    return list(PROTOCOLS.values())


def markdown_protocols() -> str:
    """The table of docs/reference/protocols.md: a line per protocol, with its headline regression only."""
    header = ("protocol", "images", "crop", "split", "headline regression", "error", "source")
    lines = [header, ["---"] * len(header)]
    for name, protocol in PROTOCOLS.items():
        words = facts(protocol)
        row = (f"`{name}`", words["images"], words["crop"], words["split"], protocol.headline.name, words["error"])
        lines.append([cell.replace("|", "\\|") for cell in (*row, words["source"])])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    print(markdown_protocols())
