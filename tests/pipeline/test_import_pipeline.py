"""Published results through the real pipeline: imported, analysed, shared; no features, no GPU."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from miniature import Clone, make_clone
from published import DATASETS, MODELS, OURS, similarities, write_published

from simcons.imports.published_files import dataset_name

N_STAGES = 3 + 3 + 5  # similarities, accuracies, aggregates


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Clone:
    """A clone of the miniature study that then ran an import of made-up published results."""
    folder = tmp_path_factory.mktemp("imported")
    clone = make_clone(folder / "study")
    (folder / "study/data/similarity/shapes").mkdir(parents=True)  # a leftover of another study
    source = write_published(folder / "authors")
    (source / "notes.txt").write_text("x")
    said = clone.run("simcons", "import-results", str(source)).stdout
    assert "taken: 3 data sets with similarities, 3 with accuracies, 12 models" in said
    assert "left .: 1 file: not part of the published layout" in said
    assert (
        "moved data/similarity/shapes" in clone.run("simcons", "study", "use", "published").stdout
    )
    values = clone.params
    values["consistency"] |= {"n_bootstrap": 100, "n_permutations": 100}
    clone.params = values
    clone.dvc("repro")
    clone.commit("imported")
    return clone


def test_the_analyses_run_on_published_results_alone(imported):
    assert f"{N_STAGES} done, 0 stale, 0 missing" in imported.run("simcons", "status").stdout
    assert f"{N_STAGES} stages, none differs" in imported.run("simcons", "study", "check").stdout
    assert not (imported.root / "data/features").exists()
    metrics = json.loads((imported.root / "metrics/consistency.json").read_text())
    assert sorted(metrics) == sorted(name.replace(".", "_") for name in OURS)
    gap = json.loads((imported.root / "metrics/performance_gap_datasets.json").read_text())
    # The subset of ImageNet has the accuracies of ImageNet.
    expected = ["entity30", "imagenet_subset_10k", "wds_vtab_cifar10"]
    assert list(gap["gap"]["cka_linear"]["pearson"]["datasets"]) == expected
    assert list(gap) == ["gap"]  # no predictions were published, so no error consistency
    shown = imported.run("simcons", "study", "show").stdout
    (row,) = [line.split() for line in shown.splitlines() if line.split()[:1] == ["entity30"]]
    assert row[-3:] == ["-", "imported", "imported"]


def test_values_are_the_published_ones(imported):
    path = imported.root / "data/similarity/wds_vtab_cifar10/cka_linear.parquet"
    table = pd.read_parquet(path).set_index(["model_1", "model_2"])["value"]
    values = similarities(0)
    for i, a in enumerate(MODELS):
        for j, b in enumerate(MODELS):
            if a < b:
                assert table[a, b] == values[i, j]


def test_what_was_not_published_is_absent_not_zero(imported):
    for dataset in map(dataset_name, DATASETS):
        folder = imported.root / "data/similarity" / dataset
        assert pd.read_parquet(folder / "cka_linear.parquet")["standard_error"].isna().all()
        assert pd.read_parquet(folder / "replicates.parquet").empty
        header = json.loads((folder / "matrix.json").read_text())
        assert header["reliability"] == dict.fromkeys(OURS)
        assert all(len(digest) == 64 for digest in header["imported"]["files"].values())
    reliability = pd.read_parquet(imported.root / "data/consistency/reliability.parquet")
    assert reliability["reliability"].isna().all()
    probes = pd.read_parquet(imported.root / "data/probes/entity30/results.parquet")
    assert probes["seed"].isna().all()
    assert probes["n_test"].isna().all()
    page = (imported.root / "metrics/report/index.html").read_text()
    assert "no standard errors are available" in page
    assert "Published results, not computed here (imports/published)" in page


def test_a_fresh_clone_pulls_it_and_agrees(imported, tmp_path):
    imported.dvc("push")
    imported.run("git", "clone", "-q", str(imported.root), str(imported.root.parent / "fresh"))
    fresh = Clone(imported.root.parent / "fresh")
    assert f"{N_STAGES} stages, none differs" in fresh.run("simcons", "study", "check").stdout
    fresh.dvc("pull")
    assert "up to date" in fresh.dvc("status").stdout
    assert fresh.file_hashes("imports") == imported.file_hashes("imports")
    assert "Running stage" not in fresh.dvc("repro").stdout


def test_importing_again_changes_nothing(imported):
    before = imported.file_hashes("imports/published")
    study = (imported.root / "studies/published.yaml").read_text()
    imported.run("simcons", "import-results", str(imported.root.parent / "authors"))
    assert imported.file_hashes("imports/published") == before
    assert (imported.root / "studies/published.yaml").read_text() == study
    assert "up to date" in imported.dvc("status").stdout


def test_names_are_checked_before_anything_is_written(imported):
    source = str(imported.root.parent / "authors")
    for name, why in (("paper", "take another --name"), ("A b", "may hold a-z, 0-9 and _")):
        done = imported.run("simcons", "import-results", source, "--name", name, check=False)
        assert done.returncode == 2
        assert why in done.stderr
    dry = imported.run("simcons", "import-results", source, "--name", "new", "--dry-run").stdout
    assert "nothing was written" in dry
    assert not (imported.root / "imports/new").exists()
