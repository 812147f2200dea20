"""Figures of the source: sizes, annotations, imports. `python -m tests.structure` prints them; a test asserts the limits.

A room is a module or package directly inside `kpdetect`, `generator` or `benchmarks`. Its floor is the number of rooms on the
longest chain of imports that begins with it. The command line and `kpdetect run` stand on top of all three packages.
"""

from __future__ import annotations

import ast
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("kpdetect", "generator", "benchmarks")
THIN = 30
"""Lines of a thin file."""
Function = ast.FunctionDef | ast.AsyncFunctionDef
Graph = dict[str, set[str]]


@dataclass(frozen=True)
class Module:
    """One source file.

    Attributes:
        name: dotted.
        lines: number of lines.
        tree: its syntax.
    """

    name: str
    lines: int
    tree: ast.Module

    @cached_property
    def functions(self) -> list[Function]:
        """Functions and methods."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @cached_property
    def arguments(self) -> list[ast.arg]:
        """Arguments of functions and methods; `self` and `cls` are none."""
        every = [argument for function in self.functions for argument in _arguments(function)]
        return [argument for argument in every if argument.arg not in ("self", "cls")]


def _arguments(function: Function) -> list[ast.arg]:
    named = function.args
    starred = [each for each in (named.vararg, named.kwarg) if each is not None]
    return [*named.posonlyargs, *named.args, *named.kwonlyargs, *starred]


def length(function: Function) -> int:
    """Lines of a function, its docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def read_modules(root: Path = ROOT) -> dict[str, Module]:
    """Every source file by its dotted name; a package's `__init__` has the package's name."""
    found = {}
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text(encoding="utf-8")
        found[name] = Module(name, text.count("\n"), ast.parse(text))
    return found


def read_imports(modules: dict[str, Module]) -> Graph:
    """Which modules each module imports, inside its functions too; the packages' own docstrings count as none."""
    graph: Graph = {}
    for name, module in modules.items():
        targets = {target for node in ast.walk(module.tree) for target in _targets(node, modules)}
        graph[name] = targets - {name}
    return graph


def _targets(node: ast.AST, modules: dict[str, Module]) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            if whole in modules or node.module in modules:
                yield whole if whole in modules else node.module
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in modules)


def room_of(name: str) -> str:
    """The room of a module."""
    return ".".join(name.split(".")[:2])


def read_rooms(graph: Graph) -> Graph:
    """Which rooms each room imports; packages themselves and their `__main__`, as doors for users, are none."""
    rooms: Graph = defaultdict(set)
    for name, targets in graph.items():
        if name.removesuffix(".__main__") not in PACKAGES:
            rooms[room_of(name)] |= {room_of(target) for target in targets if target not in PACKAGES} - {room_of(name)}
    return dict(rooms)


def mutual_imports(graph: Graph) -> set[tuple[str, str]]:
    """Pairs of which each imports the other."""
    return {(one, other) for one in graph for other in graph[one] if one < other and one in graph.get(other, set())}


def depths(graph: Graph) -> dict[str, int]:
    """The number of names on the longest chain of imports that begins with each.

    Raises:
        ValueError: a chain comes back to where it began.
    """
    known: dict[str, int] = {}

    def depth(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise ValueError(f"imports go round: {' -> '.join([*above[above.index(name) :], name])}")
        if name not in known:
            known[name] = 1 + max((depth(other, (*above, name)) for other in graph.get(name, ())), default=0)
        return known[name]

    for name in graph:
        depth(name, ())
    return known


def inside(graph: Graph, package: str) -> Graph:
    """The part of a graph below one package."""
    names = {name for name in graph if name.startswith(f"{package}.")}
    return {name: graph[name] & names for name in names}


def single_importers(graph: Graph) -> list[str]:
    """Modules that exactly one other imports."""
    importers: dict[str, set[str]] = defaultdict(set)
    for name, targets in graph.items():
        for target in targets:
            importers[target].add(name)
    return sorted(name for name, by in importers.items() if len(by) == 1)


def main() -> None:
    """Print the figures."""
    modules = read_modules()
    graph = read_imports(modules)
    rooms = read_rooms(graph)
    print("| | files | median / max lines | function median / p90 / max | args annotated | rooms | floors | import depth |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for package in ("", *PACKAGES):
        chosen = [module for module in modules.values() if not package or module.name.split(".")[0] == package]
        sizes = [module.lines for module in chosen]
        functions = sorted(length(function) for module in chosen for function in module.functions)
        arguments = [argument for module in chosen for argument in module.arguments]
        annotated = 100 * sum(argument.annotation is not None for argument in arguments) / len(arguments)
        own_rooms = inside(rooms, package) if package else rooms
        own = inside(graph, package) if package else graph
        print(
            f"| {package or 'all source'} | {len(chosen)} | {statistics.median(sizes):.0f} / {max(sizes)} "
            f"| {statistics.median(functions):.0f} / {functions[int(0.9 * len(functions))]} / {functions[-1]} "
            f"| {annotated:.0f} % | {len(own_rooms)} | {max(depths(own_rooms).values())} | {max(depths(own).values())} |"
        )
    thin = [module.name for module in modules.values() if module.lines <= THIN]
    alone = single_importers(graph)
    verbs = [name for name in alone if name.startswith("kpdetect.cli.")]
    print(f"\nmutual imports: {len(mutual_imports(graph))}")
    print(f"files of at most {THIN} lines: {len(thin)}, {sum(name.startswith('kpdetect.cli.') for name in thin)} of them verbs")
    print(f"files with one importer: {len(alone)}, {len(verbs)} of them verbs")


if __name__ == "__main__":
    main()
