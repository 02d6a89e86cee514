"""dvc.yaml's dependencies are the code that a stage runs: no less, so that a change of what decides
a value makes the stage stale, and nothing that it does not reach.

The truth is the stage's own imports. What decides nothing is written once, in
`module_graph.PLUMBING`.
"""

from __future__ import annotations

import pytest
from module_graph import PLUMBING, ROOT, deciding, modules, relative

from simcons.core.files import read_yaml

STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]


def script(stage: str) -> str:
    """Return the script that a stage's command runs, such as ``stages/zoo.py``."""
    entry = STAGES[stage].get("do", STAGES[stage])
    return next(word for word in entry["cmd"].split() if word.startswith("stages/"))


def dependencies(stage: str) -> list[str]:
    return [str(path) for path in STAGES[stage].get("do", STAGES[stage])["deps"]]


def covers(dependency: str, file: str) -> bool:
    return file == dependency or file.startswith(f"{dependency}/")


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_depends_on_the_code_that_decides_its_results(stage):
    code = [script(stage), *map(relative, sorted(deciding(script(stage))))]
    missing = [f for f in code if not any(covers(d, f) for d in dependencies(stage))]
    assert not missing, (
        f"dvc.yaml: '{stage}' reaches {', '.join(missing)}: list them in its deps, or, if they "
        f"decide no value, in PLUMBING of tests/core/module_graph.py"
    )


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_depends_on_no_code_that_it_does_not_reach(stage):
    code = [script(stage), *map(relative, sorted(deciding(script(stage))))]
    scripts = ("stages/", "src/simcons/")
    idle = [
        d
        for d in dependencies(stage)
        if d.startswith(scripts)
        and "catalog" not in d  # YAML, read by name
        and not any(covers(d, f) for f in code)
    ]
    assert not idle, f"dvc.yaml: '{stage}' depends on {', '.join(idle)} without need"
    gone = [d for d in dependencies(stage) if d.startswith(scripts) and not (ROOT / d).exists()]
    assert not gone, f"dvc.yaml: '{stage}' depends on {', '.join(gone)}, which does not exist"


def test_every_stage_script_is_run_by_a_stage():
    scripts = {f"stages/{path.name}" for path in (ROOT / "stages").glob("*.py")}
    assert scripts == {script(stage) for stage in STAGES}


def test_what_is_called_plumbing_exists():
    assert set(PLUMBING) <= set(modules())
