"""Studies that are not the demo: no zoo, data sets for similarity or probes alone."""

from __future__ import annotations

import copy
import json
import shutil

import pandas as pd
import pytest
from dvc.repo import Repo
from miniature import PARAMS, ROOT, Clone, make_clone

from simcons.catalog import dataset_specs
from simcons.core.files import read_yaml
from simcons.study.params import load_study

(MEASURE,) = PARAMS["similarity"]["measures"]
SETTINGS = {
    "study": "zooless",
    "zoo": {},
    "zoo_training": {},
    "zoo_objectives": {},
    "probe_datasets": ["shapes"],
}


@pytest.fixture(scope="module")
def zooless(finished, tmp_path_factory) -> Clone:
    """A study without a zoo, in which one of two data sets is not probed; it follows another."""
    root = tmp_path_factory.mktemp("zooless") / "study"
    shutil.copytree(finished.root, root, symlinks=True)
    clone = Clone(root)
    params = copy.deepcopy({**PARAMS, **SETTINGS})
    params["consistency"]["anchors"] = []
    clone.params = params
    clone.run("simcons", "study", "tidy")
    clone.dvc("repro")
    clone.commit("results")
    return clone


def test_a_study_without_a_zoo_runs_and_says_so(zooless):
    assert "up to date" in zooless.dvc("status").stdout
    assert json.loads((zooless.root / "metrics/zoo_models.json").read_text())["n_models"] == 0
    assert "trained here" not in (zooless.root / "metrics/report/index.html").read_text()
    assert "stages, none differs" in zooless.run("simcons", "study", "check").stdout
    assert zooless.run("simcons", "study", "tidy").stdout == ""
    assert zooless.run("git", "status", "--porcelain", "--ignored", "data/zoo").stdout == ""


def test_a_data_set_that_is_not_probed_has_no_gap(zooless):
    gap = json.loads((zooless.root / "metrics/performance_gap_datasets.json").read_text())
    assert sorted(gap["gap"]) == ["error_consistency", MEASURE]
    assert list(gap["error_consistency"]) == [MEASURE]
    for by_measure in gap.values():
        for by_method in by_measure.values():
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
    gap = json.loads((clone.root / "metrics/performance_gap_datasets.json").read_text())
    for by_measure in gap.values():
        for by_method in by_measure.values():
            assert list(by_method["pearson"]["datasets"]) == ["shapes", "textures"]


def test_a_fresh_clone_of_it_has_nothing_to_do(zooless):
    zooless.dvc("push")
    zooless.run("git", "clone", "-q", str(zooless.root), str(zooless.root.parent / "fresh"))
    fresh = Clone(zooless.root.parent / "fresh")
    fresh.dvc("pull")
    assert "up to date" in fresh.dvc("status").stdout
    assert "stages, none differs" in fresh.run("simcons", "study", "check").stdout


def test_export_is_tidy_described_and_the_same_bytes_each_time(zooless, tmp_path):
    out = tmp_path / "out"
    said = zooless.run("simcons", "export", str(out)).stdout
    assert "similarities.parquet" in said
    assert "2 matrices" in said
    table = pd.read_parquet(out / "similarities.parquet")
    columns = ["measure", "dataset", "model_1", "model_2", "value", "standard_error"]
    assert list(table.columns[:6]) == columns
    assert len(table) == 2 * 3  # data sets, pairs of three models
    assert {"objective_1", "objective_2", "size_class_1"} <= set(table.columns)
    assert table["standard_error"].notna().all()
    assert not table["published"].any()
    assert set(pd.read_parquet(out / "accuracies.parquet")["dataset"]) == {"shapes"}
    sheet = (out / "README.md").read_text()
    for name, digest in Clone(tmp_path).file_hashes("out").items():
        assert name == "README.md" or f"{digest}  {name}" in sheet
    square = pd.read_csv(out / "matrices/rsa_correlation_spearman/shapes.csv", index_col=0)
    assert list(square.index) == list(square.columns)
    row = table[table["dataset"] == "shapes"].iloc[0]
    for a, b in ((row["model_1"], row["model_2"]), (row["model_2"], row["model_1"])):
        assert square.loc[a, b] == pytest.approx(row["value"], rel=1e-8)
    before = Clone(tmp_path).file_hashes("out")
    zooless.run("simcons", "export", str(out))
    assert Clone(tmp_path).file_hashes("out") == before


def test_export_replaces_nothing_but_an_export(zooless, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    done = zooless.run("simcons", "export", str(tmp_path), check=False)
    assert done.returncode == 2
    assert "holds something that is no export" in done.stderr
    assert (tmp_path / "thesis.tex").read_text() == "x"


def test_the_ready_made_studies_are_what_they_say():
    paper = load_study(ROOT / "studies/paper.yaml")
    assert len(paper.model_specs()) == 64
    assert len(paper.datasets) == 30
    published = [n for n, spec in dataset_specs().items() if spec.in_similarity_study]
    assert paper.measured() == sorted(published)
    assert len(published) == 23
    counts = paper.model_table()["objective"].value_counts().to_dict()
    assert counts == {"Supervised": 30, "Self-Supervised": 20, "Image-Text": 14}
    sensitivity = load_study(ROOT / "studies/paper_sensitivity.yaml")
    sizes = [spec.options["per_class"] for spec in sensitivity.dataset_specs().values()]
    assert sorted(sizes) == [1, 5, 10, 20, 30, 40]
    extended = load_study(ROOT / "studies/extended.yaml")
    assert set(paper.models) < set(extended.models)
    assert extended.measured() == paper.measured()


@pytest.mark.parametrize("name", ["paper", "paper_sensitivity", "extended"])
def test_the_graph_of_a_large_study_stays_small(tmp_path, name):
    clone = make_clone(tmp_path / "study", read_yaml(ROOT / "studies" / f"{name}.yaml"))
    with Repo(str(clone.root)) as repo:
        stages = list(repo.index.stages)
    assert 10 < len(stages) <= 150
    assert not any(stage.addressing.startswith("zoo") for stage in stages)
