"""params.yaml: what is refused, and how."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import get_args

import pytest
from ruamel.yaml import YAML

from simcons.consistency import METHODS
from simcons.core.errors import UserError
from simcons.study.params import load_study
from simcons.study.sections import Method

ROOT = Path(__file__).parents[2]
CONTROL = {"objective": "untrained", "architecture": "conv_small", "seed": 0}
DEMO = ROOT / "studies" / "demo.yaml"


@pytest.fixture
def refused(tmp_path):
    """Load the demo study with one change and return the message."""

    def load(change) -> str:
        values = YAML(typ="safe").load(DEMO.read_text())
        change(values)
        path = tmp_path / "params.yaml"
        with path.open("w") as file:
            YAML(typ="safe").dump(values, file)
        with pytest.raises(UserError) as error:
            load_study(path)
        return str(error.value)

    return load


def test_the_committed_study_is_the_demo():
    assert (ROOT / "params.yaml").read_bytes() == DEMO.read_bytes()
    study = load_study(DEMO)
    assert len(study.datasets) == 8
    assert "efficientnet_lite0" in study.model_specs()
    assert list(study.model_table().index) == sorted(study.model_specs())
    assert list(study.dataset_table().index) == sorted(study.datasets)


def test_a_study_may_name_every_correlation_that_there_is():
    assert get_args(Method) == METHODS


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda v: v.update(modles=[]), ["unknown key 'modles'", "did you mean 'models'"]),
        (
            lambda v: v["similarity"].update(n_block=3),
            ["unknown key 'similarity.n_block'", "did you mean 'n_blocks'"],
        ),
        (
            lambda v: v["datasets"].update(digits={"optoins": {}}),
            ["datasets.digits.optoins", "did you mean 'options'"],
        ),
        (
            lambda v: v["datasets"].update(digits={"options": {"sede": 1}}),
            ["datasets.digits.options", "unknown option 'sede'", "did you mean 'seed'"],
        ),
        (
            lambda v: v["datasets"].update(digitz={}),
            ["unknown data set 'digitz'", "did you mean 'digits'"],
        ),
        (
            lambda v: v["datasets"].update({"wds/cars": {}}),
            ["'wds/cars'", "write 'wds_cars: {id: wds/cars}'"],
        ),
        (
            lambda v: v["models"].append("efficentnet_lite0"),
            ["unknown model 'efficentnet_lite0'", "did you mean 'efficientnet_lite0'"],
        ),
        (lambda v: v["models"].append("pixels"), ["'pixels' is listed twice"]),
        (
            lambda v: v["similarity"]["measures"].append("cka_liner"),
            ["cka_liner", "did you mean 'cka_linear'"],
        ),
        (lambda v: v["similarity"]["measures"].append("cka_rbf_-0.4"), ["cka_rbf_-0.4"]),
        (lambda v: v["similarity"].update(measures=[]), ["similarity.measures", "got []"]),
        (lambda v: v["subset"].update(max_samples=0), ["subset.max_samples", "got 0"]),
        (lambda v: v["subset"].update(seed=-1), ["subset.seed", "got -1"]),
        (lambda v: v["numerics"].update(threads="two"), ["numerics.threads", "got 'two'"]),
        (lambda v: v["probe"].update(epochs=0), ["probe.epochs", "got 0"]),
        (lambda v: v["probe"].update(epoch=1), ["probe.epoch", "did you mean 'epochs'"]),
        (
            lambda v: v["probe"].update(regularization="l3"),
            ["probe.regularization", "'l3'", "l1"],
        ),
        (lambda v: v.update(probe=3), ["probe: got 3"]),
        (
            lambda v: v["consistency"].update(methods=["kendall"]),
            ["consistency.methods: got kendall alone", "need pearson or spearman too"],
        ),
        (
            lambda v: v["consistency"].update(methods=["pearson", "pearson"]),
            ["consistency.methods", "'pearson' is listed twice"],
        ),
        (
            lambda v: v["consistency"].update(methods=["person"]),
            ["consistency.methods", "got 'person'", "pearson"],
        ),
        (lambda v: v["consistency"].update(min_pairs=2), ["consistency.min_pairs", "got 2"]),
        (lambda v: v.pop("subset"), ["key 'subset' is missing"]),
        (lambda v: v.update(datasets=[]), ["datasets", "got []"]),
        (lambda v: v.update(models=[]), ["models", "got []"]),
        (
            lambda v: v["similarity_datasets"].append("digit"),
            ["similarity_datasets", "unknown data set 'digit'", "did you mean 'digits'"],
        ),
        (
            lambda v: v["probe_datasets"].append("digits"),
            ["probe_datasets", "'digits' is listed twice"],
        ),
        (lambda v: v.update(similarity_datasets=[]), ["similarity_datasets", "got []"]),
        (lambda v: v["imported"].update(probes=["digits"]), ["imported.name", "got None"]),
        (
            lambda v: v.update(imported={"name": "x", "similarity": ["digitz"]}),
            ["imported.similarity", "unknown data set 'digitz'", "did you mean 'digits'"],
        ),
        (
            lambda v: v.update(zoo={}, imported={"name": "x", "similarity": ["digits"]}),
            ["imported.similarity", "'digits' is in similarity_datasets too"],
        ),
        (
            lambda v: v["consistency"].update(accuracy_from={"digits": "letters"}),
            ["consistency.accuracy_from", "'digits' is probed itself"],
        ),
    ],
)
def test_one_line_names_key_value_and_what_is_allowed(refused, change, parts):
    message = refused(change)
    assert "params.yaml" in message
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_every_problem_is_listed(refused):
    def change(values):
        values["subset"]["max_samples"] = 0
        values["similarity"]["n_blocks"] = "many"

    message = refused(change)
    assert "subset.max_samples" in message
    assert "similarity.n_blocks" in message


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("")
    with pytest.raises(UserError, match=r"params\.yaml"):
        load_study(path)


def test_options_of_the_study_override_the_catalogue(tmp_path):
    values = YAML(typ="safe").load(DEMO.read_text())
    values["zoo"] = {}
    values["datasets"] = {"mine": {"id": "digits", "options": {"seed": 7}}, "shapes": None}
    values["similarity_datasets"], values["probe_datasets"] = ["mine", "shapes"], ["mine"]
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(copy.deepcopy(values), file)
    study = load_study(path)
    assert study.dataset_spec("mine").options["seed"] == 7
    assert study.dataset_spec("mine").options["test_fraction"] == 0.25
    assert study.dataset_spec("shapes").id == "shapes"
    with pytest.raises(UserError, match="did you mean 'mine'"):
        study.dataset_spec("mien")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (
            lambda v: v["zoo"].update(new={**CONTROL, "objective": "simclrr"}),
            ["zoo.new", "simclrr", "did you mean 'simclr'"],
        ),
        (lambda v: v["zoo"].update({"A b": {}}), ["'A b'", "only a-z, 0-9 and _"]),
        (
            lambda v: v["zoo"].update(pixels={"objective": "untrained"}),
            ["'pixels' is a model of the catalogue"],
        ),
        (
            lambda v: v["zoo_training"].update(training_sets=["leters"], augmentations={}),
            ["unknown data set 'leters'", "did you mean 'letters'"],
        ),
        (lambda v: v["zoo_learned"].update(margin=2), ["zoo_learned.margin", "got 2"]),
    ],
)
def test_the_zoo_is_checked(refused, change, parts):
    message = refused(change)
    for part in parts:
        assert part in message


def test_a_zoo_model_that_is_not_in_the_study_is_named():
    study = load_study(DEMO)
    with pytest.raises(UserError, match="did you mean 'vicreg_conv_wide_1'"):
        study.zoo_spec("vicreg_conv_wide1")
    assert study.held_out() == ["digits", "printed_digits", "shapes", "symbols"]


def with_variant(values, name="wds_imagenet_a", parent="wds_imagenet1k", probed=True) -> None:
    values["datasets"] |= {"wds_imagenet1k": {}, "wds_imagenet_a": {}, "wds_stl10": {}}
    values["probe_datasets"] += ["wds_imagenet1k"] if probed else []
    values["variants"] = {name: parent}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (
            lambda v: with_variant(v, name="wds_imagenet_b"),
            ["variants", "'wds_imagenet_b'", "did you mean 'wds_imagenet_a'"],
        ),
        (
            lambda v: with_variant(v, probed=False),
            ["variants.wds_imagenet_a", "'wds_imagenet1k'"],
        ),
        (lambda v: with_variant(v, parent="digits"), ["it is a variant of 'wds_imagenet1k'"]),
        (lambda v: with_variant(v, name="wds_stl10"), ["'wds_stl10' has a train split"]),
        (
            lambda v: (with_variant(v), v["similarity_datasets"].append("wds_imagenet_a")),
            ["similarity_datasets", "'wds_imagenet_a' has a test split only", "variants"],
        ),
        (
            lambda v: v["features"].update(precision="half"),
            ["features.precision", "'half'", "bfloat16"],
        ),
        (lambda v: v.pop("features"), ["key 'features' is missing"]),
        (
            lambda v: v["datasets"].update(x={"id": "wds/flickr30k"}),
            ["'wds/flickr30k' is refused: retrieval"],
        ),
        (
            lambda v: v["datasets"].update(x={"id": "wds/vtab/cifar1"}),
            ["did you mean 'wds/vtab/cifar10'"],
        ),
    ],
)
def test_data_sets_and_features_are_checked(refused, change, parts):
    message = refused(change)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_study_with_a_variant_and_a_published_id(tmp_path):
    values = YAML(typ="safe").load(DEMO.read_text())
    with_variant(values)
    values["datasets"]["small"] = {"id": "wds/vtab/cifar10"}
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(values, file)
    study = load_study(path)
    assert study.dataset_spec("small").id == "wds_vtab_cifar10"
    assert study.variants == {"wds_imagenet_a": "wds_imagenet1k"}
