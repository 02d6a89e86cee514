"""A study of published and computed results together: made-up matrices, and made-up features."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from published import MODELS, OURS, write_published

from simcons.core.errors import UserError
from simcons.core.files import read_yaml, write_parquet, write_text
from simcons.core.paths import Paths
from simcons.figures.from_study import figure_inputs
from simcons.figures.schema import check
from simcons.imports.assemble import imported_probes, imported_similarity
from simcons.imports.choose import choose
from simcons.imports.collect import read_published
from simcons.imports.import_writer import write_import, write_study
from simcons.probes import Protocol, collect, fit_linear_probe, probe_error_consistency
from simcons.report import ReportInputs, render
from simcons.report.notices import import_warnings
from simcons.similarity import chance_level, compute_similarity, write_similarity
from simcons.study.params import Study, load_study
from simcons.study.results import read_similarities

ROOT = Path(__file__).parents[2]
IMPORTED = ("entity30", "imagenet_subset_10k", "wds_vtab_cifar10")


def run(root: Path, script: str) -> None:
    """Run a stage's script as `dvc repro` does."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "stages" / script)], cwd=root,
        env={"PYTHONPATH": str(ROOT / "src")}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def compute(paths: Paths, dataset: str) -> None:
    """Write similarities and probes of the study's models, from features that share a part."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    centres = rng.normal(size=(3, 5))
    common = centres[labels] + rng.normal(size=(60, 5))
    features = {
        model: (common + (0.3 + 0.1 * k) * rng.normal(size=common.shape)).astype("f4")
        for k, model in enumerate(MODELS)
    }
    result = compute_similarity(features, OURS, n_blocks=6, n_halves=2)
    write_similarity(paths.similarity(dataset), result, chance_level(features, OURS, draws=1))
    protocol = Protocol(epochs=3, seeds=(0,))
    probes = [
        fit_linear_probe(x[:40], labels[:40], x[40:], labels[40:], protocol, 0, model=model)
        for model, x in features.items()
    ]
    write_parquet(paths.probes(dataset) / "results.parquet", collect(probes))
    agreement = probe_error_consistency(probes)
    write_parquet(paths.probes(dataset) / "error_consistency.parquet", agreement)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> tuple[Study, Paths]:
    """A study of three imported data sets and a computed one, up to its analyses."""
    root = tmp_path_factory.mktemp("mixed")
    paths = Paths(root / "study")
    paths.studies.mkdir(parents=True)
    shutil.copy(ROOT / "studies" / "paper.yaml", paths.studies)
    found = read_published(write_published(root / "authors"))
    write_import(found, "published", "", paths)
    write_study(choose(found), "published", paths)
    values = read_yaml(paths.study_file("published"))
    values["datasets"] = {"shapes": {"options": {"train_per_class": 20, "test_per_class": 7}}}
    values["similarity_datasets"] = values["probe_datasets"] = ["shapes"]
    values["numerics"]["threads"] = 1
    values["probe"]["seeds"] = [0]
    values["consistency"] |= {"n_bootstrap": 100, "n_permutations": 100}
    write_text(paths.params, json.dumps(values))  # which is YAML
    for dataset in IMPORTED:
        result = imported_similarity(paths.imported("published", dataset), MODELS, OURS)
        write_similarity(paths.similarity(dataset), result)
    for dataset in values["imported"]["probes"]:
        table = imported_probes(paths.imported("published", dataset), MODELS)
        write_parquet(paths.probes(dataset) / "results.parquet", table)
    compute(paths, "shapes")
    run(paths.root, "consistency.py")
    run(paths.root, "performance_gap.py")
    return load_study(paths.params), paths


def test_a_published_and_a_computed_data_set_are_correlated(mixed):
    study, paths = mixed
    matrices = read_similarities(study, paths)
    table = pd.read_parquet(paths.consistency / "consistency.parquet")
    table = table[(table["category"] == "all") & (table["method"] == "pearson")]
    assert len(table) == len(OURS) * 6
    assert table["r"].notna().all()
    upper = np.triu_indices(len(MODELS), 1)
    for row in table[table["dataset_2"] == "shapes"].itertuples():
        x, y = (matrices[row.measure][d].values[upper] for d in (row.dataset_1, row.dataset_2))
        assert row.r == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_only_what_was_computed_has_errors_and_a_reliability(mixed):
    study, paths = mixed
    for by_dataset in read_similarities(study, paths).values():
        assert by_dataset["shapes"].standard_error is not None
        assert all(by_dataset[dataset].standard_error is None for dataset in IMPORTED)
    known = pd.read_parquet(paths.consistency / "reliability.parquet")
    known = known[known["category"] == "all"].groupby("dataset")["reliability"]
    assert known.apply(lambda r: r.notna().any()).to_dict() == {
        **dict.fromkeys(IMPORTED, False),
        "shapes": True,
    }
    # A ceiling needs the reliability of both data sets: no pair here has one.
    assert pd.read_parquet(paths.consistency / "corrected.parquet")["ceiling"].isna().all()


def test_the_gap_is_of_all_and_error_consistency_of_the_computed_probes(mixed):
    _, paths = mixed
    digest = json.loads((paths.metrics / "performance_gap_datasets.json").read_text())
    gaps = digest["gap"]["cka_linear"]["pearson"]["datasets"]
    assert list(gaps) == sorted([*IMPORTED, "shapes"])
    errors = digest["error_consistency"]["cka_linear"]["pearson"]["datasets"]
    assert list(errors) == ["shapes"]


def test_the_report_says_what_is_published(mixed):
    study, paths = mixed
    inputs = figure_inputs(study, paths)
    check(inputs)
    (warning,) = import_warnings(study)
    assert "similarities on 3 of 4 data sets" in warning
    assert "shapes" in render(ReportInputs(inputs, warnings=[warning]))


def test_a_computed_data_set_without_some_published_model_is_named(mixed, tmp_path):
    study, paths = mixed
    copy = Paths(tmp_path / "study")
    shutil.copytree(paths.root, copy.root)
    rng = np.random.default_rng(1)
    few = {model: rng.normal(size=(30, 4)) for model in MODELS[:-1]}
    shutil.rmtree(copy.similarity("shapes"))
    write_similarity(copy.similarity("shapes"), compute_similarity(few, OURS))
    with pytest.raises(UserError, match=rf"not the study's \({MODELS[-1]}\).*similarity@shapes"):
        read_similarities(study, copy)
