"""Do metrics agree with a git revision, within tolerances that say why they are what they are?

`tolerances.yaml` in the repository's root lists rules, first match wins:

    - metrics: consistency.json        # file below metrics/
      keys: "*.median"                 # shell pattern over the dotted key
      tolerance: 0.02                  # largest absolute difference; any: not compared
      outliers: 0.05                   # share of the rule's metrics that may differ by more (or 0)
      reason: ...

CPUs round differently, so numbers are never compared by hash across machines.
"""

from __future__ import annotations

import fnmatch
import json
import math
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simcons.core.errors import UserError
from simcons.core.files import read_json, read_yaml
from simcons.core.paths import Paths

_EXACT = {"metrics": "*", "keys": "*", "tolerance": 0, "reason": "no rule names it"}

Rule = dict[str, Any]


def differences(paths: Paths, revision: str) -> list[str]:
    """Return a line for every metric that differs from a revision's by more than its tolerance.

    Raises
    ------
    UserError
        If git does not know the revision, it has no metrics, or tolerances.yaml is not valid.
    """
    rules = _rules(paths.root / "tolerances.yaml")
    names = _git(paths.root, "ls-tree", "--name-only", revision, "--", "metrics/").split()
    names = [name for name in names if name.endswith(".json")]
    if not names:
        raise UserError(f"git revision {revision} has no metrics/*.json")
    found = []
    for name in sorted(names):
        old = json.loads(_git(paths.root, "show", f"{revision}:{name}"))
        new = read_json(paths.root / name)
        found += [f"{name}: {line}" for line in _compare(Path(name).name, old, new, rules)]
    return found


def _rules(path: Path) -> list[Rule]:
    rules = read_yaml(path)
    if not isinstance(rules, list) or not all(
        isinstance(rule, dict) and set(rule) - {"outliers"} == set(_EXACT) for rule in rules
    ):
        keys = ", ".join(_EXACT)
        raise UserError(f"{path}: expected a list of rules, each with {keys} (and outliers)")
    return [*rules, _EXACT]


def _git(root: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *args], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"git {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, leaf) of nested maps and lists."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        yield prefix, value
        return
    for key, item in value.items():
        yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))


def _compare(name: str, old: Any, new: Any, rules: list[Rule]) -> Iterator[str]:
    before, after = dict(flatten(old)), dict(flatten(new))
    judged: dict[int, list[str]] = defaultdict(list)
    for key in sorted(before.keys() | after.keys()):
        judged[_first_match(name, key, rules)].append(key)
    for index, keys in sorted(judged.items()):
        tolerance, outliers = rules[index]["tolerance"], rules[index].get("outliers", 0)
        if tolerance == "any":
            continue
        both = [key for key in keys if key in before and key in after]
        for key in keys:
            if key not in both:
                yield f"{key} is only in the {'new' if key in after else 'old'} metrics"
        beyond = [key for key in both if not _close(before[key], after[key], float(tolerance))]
        if len(beyond) > outliers * len(both):
            for key in beyond:
                yield f"{key} was {before[key]}, is {after[key]} (tolerance {tolerance})"


def _first_match(name: str, key: str, rules: list[Rule]) -> int:
    return next(
        index
        for index, rule in enumerate(rules)
        if fnmatch.fnmatch(name, rule["metrics"]) and fnmatch.fnmatch(key, rule["keys"])
    )


def _close(old: Any, new: Any, tolerance: float) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (old, new))
    if not numbers:
        return bool(old == new)
    return math.isclose(old, new, rel_tol=0.0, abs_tol=tolerance)
