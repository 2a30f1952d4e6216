"""What a function's code can import: its own modules and the packages of others, from the import graph."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import grimp

from infra.routes import ROUTES

ROOT = Path(__file__).resolve().parents[1]
_OWN = ("shared", "functions")

# Imports, by who imports what, that the graph sees and a deployed function never does; each with the reason.
LAPTOP_ONLY = frozenset(
    (
        # the key file that stands in for KMS: shared/web/wiring.py takes KMS where KMS_KEY_ID is set
        ("shared.store.seal", "cryptography"),
    )
)


class Reach(NamedTuple):
    """`modules` are our own by their dotted names, `packages` the top-level names of everybody else's."""

    modules: tuple[str, ...]
    packages: tuple[str, ...]


def streams(function: str) -> bool:
    """Whether its rows are streamed. Raises ValueError when they disagree: the integration's mode is the function's."""
    modes = {route.streams for route in ROUTES if route.function == function}
    if len(modes) != 1:
        raise ValueError(f"the rows of {function} in ROUTES must be all streamed or all buffered")
    return modes.pop()


def entries(function: str) -> tuple[str, ...]:
    """The modules that Lambda starts with."""
    if not any(route.function == function for route in ROUTES):
        return (f"functions.{function}.app",)
    runtime = "__main__" if streams(function) else "buffered"
    return f"shared.lambda_runtime.{runtime}", f"functions.{function}.app"


def reach_of(function: str) -> Reach:
    """Everything that an import in reach of the function names, also one inside a function body."""
    graph = _graph()
    modules: set[str] = set()
    for entry in entries(function):
        modules |= {entry} | graph.find_upstream_modules(entry)
    own = {module for module in modules if module.partition(".")[0] in _OWN}
    own |= {".".join(module.split(".")[:depth]) for module in own for depth in range(1, module.count(".") + 1)}
    others = {module.partition(".")[0] for module in modules} - set(_OWN) - sys.stdlib_module_names
    return Reach(tuple(sorted(own)), tuple(sorted(others)))


def files_of(modules: tuple[str, ...]) -> tuple[Path, ...]:
    """The modules' files, from the project's root, with what is no Python beside them in their packages."""
    found: set[Path] = set()
    for module in modules:
        path = ROOT.joinpath(*module.split("."))
        if path.is_dir():
            found |= {each for each in path.iterdir() if each.is_file() and each.suffix not in (".py", ".pyc")}
            path /= "__init__"
        found.add(path.with_suffix(".py"))
    return tuple(sorted(path.relative_to(ROOT) for path in found))


@cache
def _graph() -> grimp.ImportGraph:
    graph = grimp.build_graph(*_OWN, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None)
    for importer, imported in LAPTOP_ONLY:
        graph.remove_import(importer=importer, imported=imported)
    return graph
