"""What a study takes: arithmetic on made-up studies, and the paper's size."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from simcons.catalog import facts, model_specs
from simcons.core.errors import UserError
from simcons.core.paths import Paths
from simcons.study.cost import study_cost
from simcons.study.params import load_study

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.fixture
def small(tmp_path):
    """Two data sets of the paper, one of them probed; two models, one seed."""
    values = YAML(typ="safe").load((STUDIES / "paper.yaml").read_text())
    values["datasets"] = {"wds_vtab_pets": {}, "living17": {}}
    values["similarity_datasets"], values["probe_datasets"] = ["living17"], ["wds_vtab_pets"]
    values["models"] = ["resnet50", "dino-vit-base-p16"]
    values["variants"], values["probe"]["seeds"] = {}, [0]
    values["consistency"] |= {"anchors": [], "overlaps": [], "accuracy_from": {}}
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(values, file)
    return load_study(path)


def test_the_arithmetic(small, tmp_path):
    cost = study_cost(small, Paths(tmp_path), tflops=5.0)
    pets = next(d for d in cost.datasets if d.name == "wds_vtab_pets")
    living = next(d for d in cost.datasets if d.name == "living17")
    assert (pets.train, pets.test) == (2944, 3669)
    assert pets.gigabytes == pytest.approx(6613 * 110e-6)
    assert living.gigabytes == 0
    assert list(cost.parents_gb) == ["wds_imagenet1k"]
    assert pets.features_gb == pytest.approx(6613 * (2048 + 768) * 4 / 1e9)
    assert pets.probes_gb == pytest.approx(37 * (2 * 3669 + 2048 + 768) * 4 / 1e9)
    assert living.probes_gb == 0
    images = 6613 + living.images
    assert cost.passes == 2 * images
    table = facts("gflops.yaml")
    work = images * (table["resnet50"] + table["dino-vit-base-p16"])
    assert cost.extraction_hours == pytest.approx(work / 5000 / 3600)
    settings = 4 * 14 + 1  # 8 coarse and 3 x 2 fine weight decays per learning rate, and the refit
    assert cost.probe_hours == pytest.approx(
        4 * settings * 20 * 2944 * (2048 + 768) * 37 / 5e12 / 3600
    )


def test_a_measured_rate_sets_its_model_and_the_others_by_what_it_achieves(small, tmp_path):
    table = facts("gflops.yaml")
    cost = study_cost(small, Paths(tmp_path), rates={"resnet50": 1000.0})
    assert cost.tflops == pytest.approx(table["resnet50"])
    seconds = 1 / 1000 + table["dino-vit-base-p16"] / (1000 * table["resnet50"])
    assert cost.extraction_hours == pytest.approx(cost.passes / 2 * seconds / 3600)
    with pytest.raises(UserError, match="did you mean 'resnet50'"):
        study_cost(small, Paths(tmp_path), rates={"resnet5": 3.0})
    with pytest.raises(UserError, match="above 0"):
        study_cost(small, Paths(tmp_path), rates={"resnet50": 0.0})


def test_the_paper_study_is_as_large_as_its_features_are_known_to_be(tmp_path):
    study = load_study(STUDIES / "paper.yaml")
    cost = study_cost(study, Paths(tmp_path))
    imagenet = next(d for d in cost.datasets if d.name == "wds_imagenet1k")
    dims = sum(spec.feature_dim for spec in study.model_specs().values())
    assert imagenet.train * dims * 4 == pytest.approx(430e9, rel=0.05)
    assert len(cost.datasets) == 30
    assert not cost.parents_gb
    assert cost.unknown == []


def test_what_is_not_known_is_said(tmp_path):
    cost = study_cost(load_study(STUDIES / "demo.yaml"), Paths(tmp_path))
    assert "size of digits" in cost.unknown
    assert any("GFLOPs of pixels" in line for line in cost.unknown)
    assert cost.passes == 0


def test_flops_are_counted_for_every_model_of_the_paper():
    table = facts("gflops.yaml")
    paper = load_study(STUDIES / "paper.yaml").models
    assert set(paper) <= set(table)
    assert set(table) <= set(model_specs())
    # Published: 4.1 and 17.5 billion multiply-adds.
    assert table["resnet50"] == pytest.approx(2 * 4.1, rel=0.03)
    assert table["dino-vit-base-p16"] == pytest.approx(2 * 17.5, rel=0.05)
