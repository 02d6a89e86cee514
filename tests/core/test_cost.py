"""What a study takes: answers worked out by hand, what makes it dearer, and what is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from simcons.catalog import facts, model_specs
from simcons.core.errors import UserError
from simcons.core.paths import Paths
from simcons.probes import Protocol, sweep
from simcons.study.cost import Cost, study_cost
from simcons.study.params import Study, load_study

STUDIES = Path(__file__).parents[2] / "studies"
# Features of 2,048 and 768 dimensions: 2,816 together.
MODELS = ["resnet50", "dino-vit-base-p16"]


@pytest.fixture
def here(tmp_path):
    """Two data sets that are on this machine: pets with 1,500 images, stl10 with 100."""
    paths = Paths(tmp_path)
    for name, n_train, n_test, n_classes in [
        ("wds_vtab_pets", 1000, 500, 10),
        ("wds_stl10", 60, 40, 2),
    ]:
        counts = {"train": n_train, "test": n_test}
        per_class = [0] * n_classes
        manifest = {
            "counts": {split: {"n": n, "per_class": per_class} for split, n in counts.items()}
        }
        paths.dataset(name).mkdir(parents=True)
        (paths.dataset(name) / "manifest.json").write_text(json.dumps(manifest))
    return paths


def make(tmp_path: Path, **changes: Any) -> Study:
    """The smallest study: pets, two models, one probe of one epoch, one setting; with changes."""
    values = YAML(typ="safe").load((STUDIES / "paper.yaml").read_text())
    values |= {
        "datasets": {"wds_vtab_pets": {}},
        "similarity_datasets": ["wds_vtab_pets"],
        "probe_datasets": ["wds_vtab_pets"],
        "models": MODELS,
        "variants": {},
    }
    values["similarity"] |= {"measures": ["cka_linear"], "n_blocks": 4, "n_halves": 0}
    values["probe"] = {
        "seeds": [0],
        "epochs": 1,
        "learning_rates": [0.1],
        "weight_decays": {"start": 1, "stop": 1, "count": 1},
    }
    values["consistency"] |= {"anchors": [], "overlaps": [], "accuracy_from": {}}
    values = copy.deepcopy(values)
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    with (tmp_path / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(values, file)
    return load_study(tmp_path / "params.yaml")


def test_known_answers_of_the_smallest_study(tmp_path, here):
    cost = study_cost(make(tmp_path), here, rates={"resnet50": 100.0, "dino-vit-base-p16": 50.0})
    (pets,) = cost.datasets
    assert (pets.train, pets.test, pets.images) == (1000, 500, 1500)
    # 1,500 images of 110 kB.
    assert pets.gigabytes == pytest.approx(0.165)
    # 1,500 images x 2,816 numbers of 4 bytes.
    assert pets.features_gb == pytest.approx(0.016896)
    # Per class 2 x 500 logits and 2,816 weights, of 4 bytes, for 10 classes.
    assert pets.probes_gb == pytest.approx(152_640e-9)
    assert cost.passes == 3000
    # 1,500 images at 10 ms for one model and 20 ms for the other: 45 s.
    assert cost.extraction_hours == pytest.approx(0.0125)
    assert cost.slowest == [
        ("dino-vit-base-p16", pytest.approx(2 / 3)),
        ("resnet50", pytest.approx(1 / 3)),
    ]
    # One pair: its value, standard error and 4 replicates, of 8 bytes.
    assert cost.similarity_gb == pytest.approx(48e-9)
    assert (cost.parents_gb, cost.unknown) == ({}, [])


def test_without_the_data_set_its_nominal_size_is_taken(tmp_path):
    (pets,) = study_cost(make(tmp_path), Paths(tmp_path)).datasets
    assert (pets.train, pets.test) == (2944, 3669)


def test_a_probe_is_trained_to_choose_and_once_more_to_keep(tmp_path, here):
    # A weight is multiplied and added, for the logit and for its gradient: 4 operations. 28,160
    # weights x 1,000 images x 4 x 2 trainings = 225,280,000 operations, at a million per second.
    cost = study_cost(make(tmp_path), here, tflops=1e-6)
    assert cost.probe_hours * 3600 == pytest.approx(225.28)


def test_the_sweep_of_the_probes_is_the_one_that_they_make(tmp_path, here):
    one = study_cost(make(tmp_path), here)
    protocol = Protocol()
    rates, penalties = protocol.learning_rates, protocol.weight_decays.values()
    middle = len(penalties) // 2

    def score(settings):
        losses = [float(abs(penalties.index(penalty) - middle)) for _, penalty in settings]
        return [-loss for loss in losses], losses

    trained = len(sweep.search(score, rates, penalties)) + 1
    whole = {"learning_rates": list(rates), "weight_decays": {"count": len(penalties)}}
    many = study_cost(make(tmp_path, probe=whole), here)
    assert many.probe_hours / one.probe_hours == pytest.approx(trained / 2)


@pytest.mark.parametrize(
    ("change", "dearer", "same"),
    [
        ({"probe": {"epochs": 2}}, ["probe_hours"], ["extraction_hours"]),
        ({"probe": {"seeds": [0, 1]}}, ["probe_hours", "probes_gb"], ["features_gb", "passes"]),
        ({"probe": {"learning_rates": [0.1, 0.01]}}, ["probe_hours"], ["probes_gb"]),
        (
            {"models": [*MODELS, "seresnet50"]},
            ["passes", "extraction_hours", "features_gb", "probes_gb", "similarity_gb"],
            ["gigabytes"],
        ),
        (
            {"datasets": {"wds_stl10": {}}},
            ["passes", "extraction_hours", "features_gb", "gigabytes"],
            ["probe_hours", "probes_gb", "similarity_gb"],
        ),
        ({"similarity": {"n_blocks": 20}}, ["similarity_gb"], ["passes", "probe_hours"]),
        ({"similarity": {"n_halves": 10}}, ["similarity_gb"], ["passes", "probe_hours"]),
        ({"similarity": {"measures": ["cka_linear", "cka_rbf_0.4"]}}, ["similarity_gb"], []),
    ],
)
def test_more_of_anything_takes_more(tmp_path, here, change, dearer, same):
    less, more = study_cost(make(tmp_path), here), study_cost(make(tmp_path, **change), here)
    for name in dearer:
        assert amount(more, name) > amount(less, name), name
    for name in same:
        assert amount(more, name) == pytest.approx(amount(less, name)), name


def amount(cost: Cost, name: str) -> float:
    return (
        getattr(cost, name) if hasattr(cost, name) else sum(getattr(d, name) for d in cost.datasets)
    )


def test_half_precision_halves_the_features_and_few_shots_shorten_the_probes(tmp_path, here):
    plain = study_cost(make(tmp_path), here)
    half = study_cost(make(tmp_path, features={"storage": "float16"}), here)
    assert half.datasets[0].features_gb == pytest.approx(plain.datasets[0].features_gb / 2)
    # 25 images of each of 10 classes instead of 1,000; 200 of each are more than there are.
    few = study_cost(make(tmp_path, probe={"few_shot": 25}), here)
    assert few.probe_hours == pytest.approx(plain.probe_hours / 4)
    many = study_cost(make(tmp_path, probe={"few_shot": 200}), here)
    assert many.probe_hours == pytest.approx(plain.probe_hours)


def test_a_derived_data_set_needs_its_parents_shards_unless_they_are_there(tmp_path):
    derived = {"datasets": {"living17": {}}, "similarity_datasets": ["living17"]}
    cost = study_cost(make(tmp_path, **derived), Paths(tmp_path))
    by_name = {d.name: d for d in cost.datasets}
    assert by_name["living17"].gigabytes == by_name["living17"].probes_gb == 0
    assert by_name["living17"].images > 0
    assert list(cost.parents_gb) == ["wds_imagenet1k"]
    derived["datasets"]["wds_imagenet1k"] = {}
    assert study_cost(make(tmp_path, **derived), Paths(tmp_path)).parents_gb == {}


def test_a_measured_rate_sets_its_model_and_the_others_by_what_it_achieves(tmp_path, here):
    # 8.18 GFLOPs, 1,000 times a second, are 8.18 TFLOP/s; with them 35.13 GFLOPs take 4.29 ms.
    cost = study_cost(make(tmp_path), here, rates={"resnet50": 1000.0})
    assert cost.tflops == pytest.approx(8.18)
    assert cost.extraction_hours * 3600 == pytest.approx(1500 * (0.001 + 0.0042946), rel=1e-4)
    faster = study_cost(make(tmp_path), here, rates={"resnet50": 2000.0})
    assert faster.extraction_hours == pytest.approx(cost.extraction_hours / 2)
    assert faster.probe_hours == pytest.approx(cost.probe_hours / 2)


def test_what_is_refused(tmp_path, here):
    study = make(tmp_path)
    with pytest.raises(UserError, match="--rate: unknown model 'resnet5': did you mean 'resnet50'"):
        study_cost(study, here, rates={"resnet5": 3.0})
    with pytest.raises(UserError, match="--rate resnet50: got 0; allowed: .*above 0"):
        study_cost(study, here, rates={"resnet50": 0.0})
    with pytest.raises(UserError, match="--tflops: got -1; allowed: a number above 0"):
        study_cost(study, here, tflops=-1.0)


def test_the_rate_of_a_model_that_the_table_rounds_to_nothing_is_no_division_by_zero(tmp_path):
    assert facts("gflops.yaml")["untrained_mobilenetv3_small"] == 0
    study = load_study(STUDIES / "demo.yaml")
    cost = study_cost(study, Paths(tmp_path), rates={"untrained_mobilenetv3_small": 100.0})
    assert cost.tflops > 0


def test_the_paper_study_is_as_large_as_its_features_are_known_to_be(tmp_path):
    study = load_study(STUDIES / "paper.yaml")
    cost = study_cost(study, Paths(tmp_path))
    imagenet = next(d for d in cost.datasets if d.name == "wds_imagenet1k")
    assert imagenet.features_gb == pytest.approx(430 * imagenet.images / imagenet.train, rel=0.05)
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
