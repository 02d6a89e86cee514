"""What the design promises of the package's shape: light import, imports that flow one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import simcons

PACKAGE = Path(simcons.__file__).parent
ORDER = [
    "datasets",
    "models",
    "features",
    "similarity",
    "probes",
    "consistency",
    "figures",
    "report",
]
HEAVY = ("torch", "pandas", "matplotlib", "sklearn", "scipy", "numpy", "timm", "dvc")


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_import_simcons_loads_nothing_heavy():
    assert not loaded_by("import simcons").intersection(HEAVY)


def test_the_command_line_loads_no_torch_for_its_help():
    assert not loaded_by("import simcons.cli.app").intersection({"torch", "dvc", "matplotlib"})


def test_validating_params_loads_no_torch():
    root = PACKAGE.parents[1]
    code = (
        f"from simcons.study.params import load_study; from pathlib import Path; "
        f"load_study(Path(r'{root / 'params.yaml'}'))"
    )
    assert not loaded_by(code).intersection({"torch", "matplotlib", "dvc", "timm"})


def imported_subpackages(path: Path) -> set[str]:
    """Subpackages imported at run time (not those for type checkers alone)."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    found = set()
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        found |= {n.split(".")[1] for n in names if n.startswith("simcons.")}
    return found


@pytest.mark.parametrize("package", ORDER)
def test_imports_flow_one_way(package):
    later = set(ORDER[ORDER.index(package) + 1 :])
    for path in sorted((PACKAGE / package).rglob("*.py")):
        wrong = imported_subpackages(path) & later
        assert not wrong, f"{path.relative_to(PACKAGE)} imports from {wrong}, to its right"


def test_the_library_never_imports_stages():
    for path in PACKAGE.rglob("*.py"):
        assert "import stages" not in path.read_text()
        assert "from stages" not in path.read_text()


def test_subpackages_load_on_first_use():
    assert simcons.catalog.model_spec("pixels").id == "pixels"
    assert "similarity" in dir(simcons)
    with pytest.raises(AttributeError, match="no attribute 'similarty'"):
        _ = simcons.similarty
