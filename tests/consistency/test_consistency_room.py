"""The room as a whole: few parameters, settings like those of a study, no heavy import."""

from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import simcons.consistency
from simcons.consistency import METHODS, Settings
from simcons.study.sections import Consistency, Method

ROOM = Path(simcons.consistency.__file__).parent
FEW = 6


@pytest.mark.parametrize("path", sorted(ROOM.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOM)))
def test_no_function_has_many_parameters(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            a = node.args
            names = [arg.arg for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
            names = [name for name in names if name not in ("self", "cls")]
            assert len(names) <= FEW, f"{getattr(node, 'name', 'lambda')}: {names}"


def test_a_studys_section_holds_the_settings_and_their_defaults():
    of_a_study = Consistency.model_fields
    for field in dataclasses.fields(Settings):
        assert field.name in of_a_study, field.name
        default = of_a_study[field.name].get_default(call_default_factory=True)
        if not of_a_study[field.name].is_required():
            assert default == (list(field.default) if field.default == () else field.default)
    assert get_args(Method) == METHODS
    methods = ["kendall", "spearman"]
    settings = Settings.of(Consistency(methods=methods, categories=["objective"], seed=3))
    assert (settings.methods, settings.seed, settings.resampled) == (methods, 3, ["spearman"])


def test_the_room_imports_neither_pipeline_nor_models():
    heavy = "dvc typer timm open_clip torch"
    code = (
        f"import sys, simcons.consistency; print([m for m in {heavy.split()} if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
