"""Studies that are not the demo: no zoo, data sets for similarity or probes alone."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
from miniature import PARAMS, Clone, make_clone

SETTINGS = {
    "study": "zooless",
    "zoo": {},
    "zoo_training": {},
    "zoo_objectives": {},
    "probe_datasets": ["shapes"],
}


@pytest.fixture(scope="module")
def zooless(tmp_path_factory) -> Clone:
    """A finished study without a zoo, in which one of two data sets is not probed."""
    params = copy.deepcopy({**PARAMS, **SETTINGS})
    params["consistency"]["anchors"] = []
    clone = make_clone(tmp_path_factory.mktemp("zooless") / "study", params)
    clone.dvc("repro")
    clone.commit("results")
    return clone


def test_a_study_without_a_zoo_runs_and_says_so(zooless):
    assert "up to date" in zooless.dvc("status").stdout
    assert json.loads((zooless.root / "metrics/zoo.json").read_text())["n_models"] == 0
    assert "trained here" not in (zooless.root / "metrics/report/index.html").read_text()
    assert "stages, none differs" in zooless.run("simcons", "study", "check").stdout
    assert zooless.run("simcons", "study", "tidy").stdout == ""
    assert zooless.run("git", "status", "--porcelain", "--ignored", "data/zoo").stdout == ""


def test_a_data_set_that_is_not_probed_has_no_gap(zooless):
    gap = json.loads((zooless.root / "metrics/performance_gap.json").read_text())
    (by_method,) = gap.values()
    assert list(by_method["pearson"]["datasets"]) == ["shapes"]
    assert not (zooless.root / "data/probes/textures").exists()
    shown = zooless.run("simcons", "study", "show").stdout
    (line,) = [row for row in shown.splitlines() if row.split()[:1] == ["textures"]]
    assert line.split()[-2:] == ["computed", "-"]


def test_another_data_set_may_lend_its_accuracies(zooless, tmp_path):
    shutil.copytree(zooless.root, tmp_path / "study", symlinks=True)
    clone = Clone(tmp_path / "study")
    values = clone.params
    values["consistency"]["accuracy_from"] = {"textures": "shapes"}
    clone.params = values
    clone.run("python", "stages/performance_gap.py")
    (by_method,) = json.loads((clone.root / "metrics/performance_gap.json").read_text()).values()
    assert list(by_method["pearson"]["datasets"]) == ["shapes", "textures"]


def test_a_fresh_clone_of_it_has_nothing_to_do(zooless):
    zooless.dvc("push")
    zooless.run("git", "clone", "-q", str(zooless.root), str(zooless.root.parent / "fresh"))
    fresh = Clone(zooless.root.parent / "fresh")
    fresh.dvc("pull")
    assert "up to date" in fresh.dvc("status").stdout
    assert "stages, none differs" in fresh.run("simcons", "study", "check").stdout
