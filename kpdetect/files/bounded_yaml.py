"""PyYAML's safe loader, with limits. A module of its own, because importing PyYAML takes a twentieth of a second."""

from __future__ import annotations

from typing import Any

import yaml

MOST_ALIASES = 10
"""Largest number of aliases (`*name`) in a YAML text. Ten aliases can enlarge a text at most e^(10/e) = 40 times."""


class BoundedLoader(yaml.SafeLoader):
    """A safe loader that refuses deeply nested texts and many aliases.

    Args:
        text: the YAML text.
        deepest: largest depth to which lists and mappings may be nested.
    """

    def __init__(self, text: str, deepest: int) -> None:
        super().__init__(text)
        self.open: list[str | None] = []
        self.aliases, self.deepest = 0, deepest

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Check the limits, then compose the node as PyYAML's safe loader does."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MOST_ALIASES:
                raise yaml.YAMLError(f"more than {MOST_ALIASES} aliases (*name); write the values out")
            if event.anchor in self.open:
                raise yaml.YAMLError(f"the alias *{event.anchor} lies inside its own value")
        if len(self.open) >= self.deepest:
            raise yaml.YAMLError(f"nested more than {self.deepest} deep")
        self.open.append(None if isinstance(event, yaml.AliasEvent) else getattr(event, "anchor", None))
        try:
            return super().compose_node(parent, index)
        finally:
            self.open.pop()
