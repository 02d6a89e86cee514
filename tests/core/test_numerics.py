"""NUMERICS_VERSION is bumped when the code that decides values changes.

`numerics.json` beside this file keeps, for every kind of result, the version and a hash of the
syntax trees (without docstrings and comments) of its deciding modules. When this test fails: did
the change alter any value? Then bump `NUMERICS_VERSION` in simcons/numerics.py. Either way record
the new hash: `python tests/core/test_numerics.py`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from pathlib import Path

import pytest

import simcons
from simcons.core.numerics import DECIDING_MODULES, NUMERICS_VERSION

RECORD = Path(__file__).with_name("numerics.json")
PACKAGE = Path(simcons.__file__).parent


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


def deciding_files(kind: str) -> list[Path]:
    found: set[Path] = set()
    for name in DECIDING_MODULES[kind]:
        path = PACKAGE / name
        assert path.exists(), f"{name} in DECIDING_MODULES['{kind}'] does not exist"
        found |= set(path.rglob("*.py")) if path.is_dir() else {path}
    return sorted(found)


def current() -> dict[str, dict[str, object]]:
    record = {}
    for kind, version in NUMERICS_VERSION.items():
        hashes = [
            f"{p.relative_to(PACKAGE).as_posix()} {syntax_hash(p.read_text())}"
            for p in deciding_files(kind)
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
