"""The package's imports, read from its syntax trees: what each module needs when it is used.

Lazy imports (inside functions) count, those for type checkers alone do not. ``from package import
name`` leads to the module in which the package's ``__init__`` finds the name, so that a package
which gathers the names of many modules does not make all of them needed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import simcons

PACKAGE = Path(simcons.__file__).parent
ROOT = PACKAGE.parents[1]

# Modules that a stage runs and that decide no value of its results: a change in one of them makes
# no stage stale and no stored result old. What they import is not followed: they use it to check
# and to find, and a stage that computes with it imports it itself.
PLUMBING = {
    "simcons.core.arrays": "reads rows of features when they are asked for",
    "simcons.core.download": "what came is checked by its digest",
    "simcons.core.errors": "messages",
    "simcons.core.files": "reads and writes files",
    "simcons.core.numerics": "fingerprints of what decides",
    "simcons.core.own": "finds the user's modules, which are dependencies",
    "simcons.core.paths": "where files lie",
    "simcons.core.progress": "bars and lines for people",
    "simcons.core.store": "finds results by their fingerprint",
    "simcons.core.validation": "messages",
    "simcons.catalog": "names of the package's modules",
    "simcons.catalog.datasets": "looks up entries; the YAML that holds them is a dependency",
    "simcons.catalog.specs": "the types of entries",
    "simcons.catalog.lookup": "reads the YAML",
    "simcons.datasets.external": "gets shards that are not here; their digests decide",
    "simcons.study.active": "which study is active, and what of others lies in its way",
    "simcons.study.params": "checks params.yaml, whose sections are dependencies",
    "simcons.study.parts": "which models a task of a job array computes",
    "simcons.study.stage": "turns a function into a command",
}


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its name; a folder's name stands for its ``__init__``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a syntax tree but those under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                yield other
                yield from run_time_nodes(other)
        else:
            yield node
            yield from run_time_nodes(node)


@cache
def imported_names(path: Path) -> tuple[tuple[str, str | None], ...]:
    """Return what a file imports: a module, and the name taken from it (None for all of it)."""
    found: list[tuple[str, str | None]] = []
    for node in run_time_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [(str(node.module), alias.name) for alias in node.names]
    return tuple(found)


@cache
def computed_imports(path: Path) -> frozenset[str]:
    """Return what a file may import by a name that it makes.

    ``import_module(f"simcons.models.source_{name}")`` imports any module of such a name.
    """
    own = next((name for name, file in modules().items() if file == path), "")
    found: set[str] = set()
    for node in run_time_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        is_import = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module")
        if is_import and isinstance(node.args[0], ast.JoinedStr):
            text = ast.unparse(node.args[0])[2:-1].replace("{__name__}", own).split("{")[0]
            found |= {name for name in modules() if name.startswith(text)}
    return frozenset(found)


@cache
def _where(module: str, name: str | None) -> frozenset[str]:
    """Return the modules that `from module import name` needs."""
    if f"{module}.{name}" in modules():
        return frozenset({f"{module}.{name}"})
    path = modules().get(module)
    if path is None or path.name != "__init__.py" or name is None:
        return frozenset({module})
    sources = [(source, name) for source, given in imported_names(path) if given == name]
    sources = sources or [(source, name) for source in _lazy_source(module, path, name)]
    if not sources:
        return frozenset({module})
    # Modules that the package loads for what their loading does, such as filling a registry.
    sources += [(s, None) for s, given in imported_names(path) if given is None and s in modules()]
    return frozenset().union(*(_where(*source) for source in sources))


def _lazy_source(module: str, path: Path, name: str) -> list[str]:
    """Return where an ``__init__`` finds a name that it loads on first use.

    Such packages write the name in an ``if TYPE_CHECKING`` block as well, or in a map from names to
    modules.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and name in {a.name for a in node.names}:
            found.append(str(node.module))
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == name:
                    text = str(ast.literal_eval(value))
                    found += [m for m in (text, f"{module}.{text}") if m in modules()]
    return found


@cache
def needs(path: Path) -> frozenset[str]:
    """Return the modules of the package that a file imports, by the file that defines each name."""
    found = set(computed_imports(path))
    for module, name in imported_names(path):
        if module.split(".")[0] == "simcons":
            found |= _where(module, name)
    return frozenset(found)


@cache
def direct_imports(path: Path) -> frozenset[str]:
    """Return the modules of the package that a file names in its imports."""
    found = set()
    for module, name in imported_names(path):
        if module.split(".")[0] == "simcons":
            whole = f"{module}.{name}"
            found.add(whole if whole in modules() else module)
    return frozenset(found)


def reached(path: Path, stop: Iterable[str] = ()) -> set[str]:
    """Return every module that a file needs, directly or through others; not through ``stop``."""
    ends = set(stop)
    todo, seen = sorted(needs(path)), set()
    while todo:
        module = todo.pop()
        if module in modules() and module not in seen:
            seen.add(module)
            if module not in ends:
                todo += sorted(needs(modules()[module]))
    return seen


def relative(module: str) -> str:
    """Return a module's file, relative to the repository's root."""
    return modules()[module].relative_to(ROOT).as_posix()


@cache
def deciding(script: str) -> frozenset[str]:
    """Return the modules that decide the results of a script such as ``stages/probe.py``."""
    return frozenset(reached(ROOT / script, PLUMBING) - set(PLUMBING))
