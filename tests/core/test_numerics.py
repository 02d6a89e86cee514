"""NUMERICS_VERSION is bumped when the code that decides values changes.

`numerics.json` beside this file keeps, for every kind of result, the version and a hash of the
syntax trees (without docstrings and comments) of the modules that decide it: those that its stage
reaches, but for what `module_graph.PLUMBING` lists. dvc.yaml's dependencies are held to the same
list. When this test fails: did the change alter any value? Then bump `NUMERICS_VERSION` in
simcons/core/numerics.py. Either way record the new hash: `python tests/core/test_numerics.py`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from pathlib import Path

import pytest
from module_graph import deciding, modules

from simcons.core.numerics import NUMERICS_VERSION

RECORD = Path(__file__).with_name("numerics.json")
STAGES = {"features": "stages/features.py", "probes": "stages/probe.py", "zoo": "stages/zoo.py"}


def syntax_hash(source: str) -> str:
    """Hash of the syntax tree: docstrings, comments and layout do not count."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        value = first.value if isinstance(first, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            del body[0]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def current() -> dict[str, dict[str, object]]:
    record = {}
    for kind, version in NUMERICS_VERSION.items():
        hashes = [
            f"{module} {syntax_hash(modules()[module].read_text())}"
            for module in sorted(deciding(STAGES[kind]))
        ]
        digest = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
        record[kind] = {"version": version, "syntax": digest}
    return record


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="syntax trees are those of Python 3.11")
@pytest.mark.parametrize("kind", sorted(NUMERICS_VERSION))
def test_deciding_code_is_the_recorded_one(kind):
    assert current()[kind] == json.loads(RECORD.read_text())[kind], __doc__


def test_docstrings_and_comments_do_not_count_but_code_does():
    plain = "def f(x):\n    return x + 1\n"
    documented = '"""A module."""\n\n\ndef f(x):\n    """Add."""\n    # why\n    return x + 1\n'
    assert syntax_hash(plain) == syntax_hash(documented)
    assert syntax_hash(plain) != syntax_hash(plain.replace("1", "2"))


if __name__ == "__main__":
    RECORD.write_text(json.dumps(current(), indent=1, sort_keys=True) + "\n")
