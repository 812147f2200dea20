"""The public names of the three packages: that they exist, are documented and annotated, and load nothing heavy."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

PACKAGES = ("kpdetect", "generator", "benchmarks")
NAMES = [(package, name) for package in PACKAGES for name in import_module(package).__all__]


def functions(value: Any) -> Iterator[Callable[..., Any]]:
    """A function itself, or the public functions that a class of this project defines."""
    if inspect.isfunction(value):
        yield value
        return
    for name, member in vars(value).items():
        member = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        generated = inspect.isfunction(member) and member.__code__.co_filename == "<string>"  # by dataclass
        if inspect.isfunction(member) and not generated and (name == "__init__" or not name.startswith("_")):
            yield member


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_a_public_name_is_documented_and_annotated(package: str, name: str) -> None:
    value = getattr(import_module(package), name)
    assert inspect.getdoc(value)
    for function in functions(value):
        assert function.__name__ == "__init__" or function.__doc__, function
        parameters = [each for each in inspect.signature(function).parameters.values() if each.name not in ("self", "cls")]
        assert [each.name for each in parameters if each.annotation is each.empty] == [], function
        assert inspect.signature(function).return_annotation is not inspect.Signature.empty, function
        paths = [each for each in parameters if "Path" in str(each.annotation)]
        assert [each.name for each in paths if "str" not in str(each.annotation)] == [], f"{function}: paths can be text"


@pytest.mark.parametrize("package", PACKAGES)
def test_names_have_one_place_for_programs_and_for_type_checkers(package: str) -> None:
    module = import_module(package)
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    typed = {alias.asname or alias.name: f"{node.module}:{alias.name}" for node in imports for alias in node.names}
    assert {name: place for name, place in typed.items() if name in module.__all__} == module.PLACES
    assert sorted([*module.PLACES, *({"load"} & vars(module).keys())]) == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    heavy = "torch numpy pandas h5py cv2 pydantic timm albumentations sklearn matplotlib PIL typer"
    code = f"import sys, {package}; print([name for name in '{heavy}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
