"""The shape of the source and of the tests: limits that must not decay. `python -m tests.structure` prints the figures."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from tests.structure import (
    PACKAGES,
    ROOT,
    Graph,
    Module,
    depths,
    inside,
    length,
    mutual_imports,
    read_imports,
    read_modules,
    read_rooms,
    room_of,
    single_importers,
)

FLOORS = {"kpdetect": 9, "generator": 9, "benchmarks": 8}
DEPTHS = {"kpdetect": 18, "generator": 11, "benchmarks": 13}


@pytest.fixture(scope="module")
def modules() -> dict[str, Module]:
    return read_modules()


@pytest.fixture(scope="module")
def graph(modules: dict[str, Module]) -> Graph:
    return read_imports(modules)


@pytest.mark.slow
def test_no_file_is_longer_than_300_lines(modules: dict[str, Module]) -> None:
    assert {module.name: module.lines for module in modules.values() if module.lines > 300} == {}


@pytest.mark.slow
def test_no_function_is_longer_than_80_lines(modules: dict[str, Module]) -> None:
    every = [(module.name, function) for module in modules.values() for function in module.functions]
    assert [(name, function.name) for name, function in every if length(function) > 80] == []


def test_every_argument_is_annotated(modules: dict[str, Module]) -> None:
    every = [(module.name, argument) for module in modules.values() for argument in module.arguments]
    assert [(name, argument.arg) for name, argument in every if argument.annotation is None] == []


def test_neither_modules_nor_rooms_import_each_other(graph: Graph) -> None:
    assert mutual_imports(graph) == set()
    assert mutual_imports(read_rooms(graph)) == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_chains_of_imports_stay_short(graph: Graph, package: str) -> None:
    assert max(depths(inside(read_rooms(graph), package)).values()) <= FLOORS[package]
    assert max(depths(inside(graph, package)).values()) <= DEPTHS[package]


def test_every_room_is_on_a_floor_of_the_contract(modules: dict[str, Module]) -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        house = tomllib.load(file)["tool"]["importlinter"]["contracts"][0]
    listed = [room.strip() for floor in house["layers"] for room in floor.split("|")]
    rooms = {room_of(name) for name in modules} - set(PACKAGES)
    assert {room for room in listed if not room.startswith("(")} <= rooms <= {room.strip("()") for room in listed}
    assert len(listed) == len(set(listed))


def test_the_map_of_a_package_names_each_of_its_modules(modules: dict[str, Module]) -> None:
    one_by_one = {"benchmarks.datasets", "kpdetect.cli"}  # their maps say what the other files are: data sets, verbs
    missing = []
    for name in modules:
        package, _, leaf = name.rpartition(".")
        document = ast.get_docstring(modules[package].tree) or "" if package in modules else leaf
        if package not in one_by_one and leaf != "__main__" and not re.search(rf"\b{leaf}\b", document):
            missing.append(name)
    assert missing == []


def test_only_commands_print(modules: dict[str, Module]) -> None:
    """Commands are the verbs, the studio, and the function `main` of modules for `python -m`; the console shows messages."""
    printing = []
    for name, module in modules.items():
        if name.startswith(("kpdetect.cli.", "kpdetect.studio.")) or name == "kpdetect.console":
            continue
        commands = [node for node in module.tree.body if isinstance(node, ast.If) or getattr(node, "name", "") == "main"]
        allowed = {id(node) for command in commands for node in ast.walk(command)}
        calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call) and id(node) not in allowed]
        printing += [(name, call.lineno) for call in calls if getattr(call.func, "id", "") == "print"]
    assert printing == []


@pytest.mark.slow
def test_no_test_module_imports_another() -> None:
    wrong = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests"):
                parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                wrong += [(path.name, part) for part in parts if part.startswith("test_")]
    assert wrong == []


def test_figures_by_hand() -> None:
    graph = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"c"}}
    assert depths(graph) == {"a": 3, "b": 2, "c": 1, "d": 2}
    assert mutual_imports(graph | {"c": {"b"}}) == {("b", "c")}
    assert single_importers(graph) == ["b"]
    with pytest.raises(ValueError, match="imports go round: (b -> c -> b|c -> b -> c)"):
        depths(graph | {"c": {"b"}})
    code = "def one(\n    first, *, second: int\n):\n    pass\n\n\ndef two(self): ...\n"
    module = Module("m", 7, ast.parse(code))
    assert [length(function) for function in module.functions] == [4, 1]
    assert [(argument.arg, argument.annotation is None) for argument in module.arguments] == [
        ("first", True),
        ("second", False),
    ]
