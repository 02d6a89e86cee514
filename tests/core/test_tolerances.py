"""Comparing metrics with a revision's, within tolerances."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from simcons.core.errors import UserError
from simcons.core.paths import Paths
from simcons.study.tolerances import differences

BEFORE = {f"g{i}": {"median": 0.5, "n_pairs": 3} for i in range(10)} | {"learned": ["a", "b"]}


@pytest.fixture
def repository(tmp_path) -> Path:
    """A repository whose HEAD has one metrics file."""
    write(tmp_path, BEFORE)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "metrics"]):
        subprocess.run([*git, *arguments], check=True)
    return tmp_path


def write(root: Path, metrics: object) -> None:
    (root / "metrics").mkdir(exist_ok=True)
    (root / "metrics" / "m.json").write_text(json.dumps(metrics))


def compare(root: Path, new: dict, *rules: str) -> list[str]:
    write(root, new)
    (root / "tolerances.yaml").write_text("\n".join(rules) or "[]")
    return differences(Paths(root), "HEAD")


def moved(n: int, by: float) -> dict:
    """The metrics with n medians moved."""
    return BEFORE | {f"g{i}": {"median": 0.5 + by, "n_pairs": 3} for i in range(n)}


MEDIANS = "- {metrics: m.json, keys: '*.median', tolerance: 0.1, reason: rounding"


def test_what_no_rule_names_must_be_equal(repository):
    assert compare(repository, BEFORE) == []
    assert compare(repository, moved(1, 1e-6)) == [
        "metrics/m.json: g0.median was 0.5, is 0.500001 (tolerance 0)"
    ]


def test_a_tolerance_holds_for_its_keys_alone(repository):
    assert compare(repository, moved(10, 0.09), MEDIANS + "}") == []
    assert len(compare(repository, moved(2, 0.11), MEDIANS + "}")) == 2
    other = BEFORE | {"g0": {"median": 0.5, "n_pairs": 4}}
    assert compare(repository, other, MEDIANS + "}") == [
        "metrics/m.json: g0.n_pairs was 3, is 4 (tolerance 0)"
    ]


def test_a_share_of_outliers_is_allowed_and_one_more_names_all(repository):
    rule = MEDIANS + ", outliers: 0.2}"
    assert compare(repository, moved(2, 0.4), rule) == []
    assert len(compare(repository, moved(3, 0.4), rule)) == 3


def test_a_metric_that_appears_or_vanishes_differs_unless_it_is_not_compared(repository):
    fewer = {k: v for k, v in BEFORE.items() if k != "g3"} | {"learned": ["a"]}
    lines = compare(repository, fewer, MEDIANS + ", outliers: 1}")
    assert lines == [
        "metrics/m.json: g3.median is only in the old metrics",
        "metrics/m.json: g3.n_pairs is only in the old metrics",
        "metrics/m.json: learned.1 is only in the old metrics",
    ]
    ignored = "- {metrics: m.json, keys: '*learned*', tolerance: any, reason: varies}"
    assert len(compare(repository, fewer, ignored)) == 2


def test_no_number_differs_whatever_the_tolerance(repository):
    word = BEFORE | {"g0": {"median": None, "n_pairs": 3}}
    assert len(compare(repository, word, MEDIANS + "}")) == 1


@pytest.mark.parametrize("rules", ["a: 1", "- {metrics: m.json}", "- 3"])
def test_rules_that_are_none_are_refused(repository, rules):
    with pytest.raises(UserError, match="metrics, keys, tolerance, reason"):
        compare(repository, BEFORE, rules)


def test_an_unknown_revision_and_one_without_metrics_are_refused(repository):
    (repository / "tolerances.yaml").write_text("[]")
    with pytest.raises(UserError, match="nowhere"):
        differences(Paths(repository), "nowhere")
    empty = subprocess.check_output(
        ["git", "-C", str(repository), "hash-object", "-t", "tree", "/dev/null"]
    )
    with pytest.raises(UserError, match="no metrics"):
        differences(Paths(repository), empty.decode().strip())
