"""The catalogue of models: the paper's counts, labels, and the libraries' lists of weights."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files

import pytest
from ruamel.yaml import YAML

from simcons.catalog import (
    CATEGORIES,
    Labels,
    ModelSpec,
    WeightsSpec,
    model_spec,
    model_specs,
    model_table,
)
from simcons.core.errors import UserError


def group(name: str) -> list[ModelSpec]:
    """The models of one file of the catalogue."""
    text = files("simcons.catalog").joinpath("models", f"{name}.yaml").read_text()
    return [model_spec(model) for model in YAML(typ="safe").load(text)]


PAPER, NEWER = group("paper"), group("newer")


def counts(models: list[ModelSpec], category: str, labels: Labels = "paper") -> dict[str, int]:
    return dict(Counter(model_table(models, labels)[category]))


def test_the_paper_has_its_64_models_in_its_categories():
    assert len(PAPER) == 64
    assert counts(PAPER, "objective") == {
        "Supervised": 30,
        "Self-Supervised": 20,
        "Image-Text": 14,
    }
    assert counts(PAPER, "architecture_class") == {"Transformer": 40, "Convolutional": 24}
    assert counts(PAPER, "train_data_class") == {
        "ImageNet1k": 37,
        "Large": 11,
        "ImageNet21k": 9,
        "XLarge": 7,
    }
    assert counts(PAPER, "size_class") == {"small": 32, "medium": 14, "large": 8, "xlarge": 10}


def test_corrected_labels_follow_the_weights_and_change_nothing_else():
    corrected = model_table(PAPER, "corrected")
    paper = model_table(PAPER)
    changed = set(paper.index[(paper != corrected).any(axis=1)])
    assert changed == {model.id for model in PAPER if model.corrected}
    assert len(changed) == 8
    for model in PAPER:
        tag = model.weights.tag or ""
        saw_21k = model.source == "timm" and any(f"in2{n}k" in tag for n in (1, 2))
        assert (corrected.loc[model.id, "train_data_class"] == "ImageNet21k") == saw_21k, model.id
    others = [c for c in paper.columns if not c.startswith("train_data")]
    assert paper[others].equals(corrected[others])


@pytest.mark.parametrize("model", [*PAPER, *NEWER], ids=lambda model: model.id)
def test_sizes_follow_the_parameters_and_labels_are_the_known_ones(model):
    bounds = [("small", 0), ("medium", 100e6), ("large", 300e6), ("xlarge", 400e6)]
    assert model.size_class == [name for name, low in bounds if model.params >= low][-1]
    for category in CATEGORIES:
        assert getattr(model, category) in counts(PAPER, category)
    assert model.family == model.id


def test_timm_and_open_clip_have_the_weights():
    import open_clip
    import timm

    timm_names, clip_names = set(timm.list_pretrained()), set(open_clip.list_pretrained())
    hub = [m for m in model_specs().values() if m.weights.kind == "hub"]
    for model in hub:
        if model.source == "timm":
            assert f"{model.name}.{model.weights.tag}" in timm_names, model.id
        if model.source == "open_clip":
            assert (model.name, model.weights.tag) in clip_names, model.id
    assert Counter(m.source for m in hub if m in PAPER) == {
        "timm": 31,
        "open_clip": 12,
        "torchvision": 9,
        "transformers": 1,
    }


def test_torchvision_has_the_weights():
    from torchvision.models import get_model_weights

    for model in model_specs().values():
        if model.source == "torchvision" and model.weights.kind == "hub":
            assert model.weights.tag in get_model_weights(model.name).__members__, model.id


def test_an_untagged_name_of_the_paper_means_the_pinned_tag():
    import timm

    for model in PAPER:
        if model.source == "timm" and model.id == model.name:
            assert timm.get_pretrained_cfg(model.name).tag == model.weights.tag


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write own/models.yaml in the current folder."""
    monkeypatch.chdir(tmp_path)
    entry = {k: v for k, v in model_spec("pixels").model_dump(mode="json").items() if k != "id"}

    def write(text: str | None = None, **changes) -> None:
        (tmp_path / "own").mkdir(exist_ok=True)
        with (tmp_path / "own" / "models.yaml").open("w") as file:
            if text is not None:
                file.write(text)
            else:
                YAML(typ="safe").dump({"mine": entry | {"family": ""} | changes}, file)

    return write


def test_own_models_stand_beside_the_catalogues(own):
    own(objective="Mine")
    assert model_spec("mine").objective == "Mine"
    assert set(model_specs()) > {"mine", "pixels"}
    own(objective="Changed")
    assert model_spec("mine").objective == "Changed"
    own("# nothing yet\n")
    assert "mine" not in model_specs()


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"text": "- a\n"}, ["own/models.yaml", "a map from ids to entries"]),
        ({"text": "a: 1\n"}, ["own/models.yaml", "entry 'a': got 1"]),
        ({"text": "a: {b\n"}, ["own/models.yaml", "not valid YAML"]),
        ({"text": "pixels: {}\n"}, ["'pixels' is a model of the catalogue"]),
        ({"text": "'a/b': {}\n"}, ["entry 'a/b': id"]),
        (
            {"text": "a: {source: timm}\n"},
            ["own/models.yaml: entry 'a': ", "key 'name' is missing"],
        ),
        ({"objectiv": "x"}, ["entry 'mine': unknown key 'objectiv': did you mean 'objective'"]),
        ({"source": "tim"}, ["entry 'mine': source: got 'tim'", "did you mean 'timm'"]),
        (
            {"source": "python", "name": "f", "weights": {"kind": "python"}},
            ["package.module:function"],
        ),
        ({"corrected": {"size": "x"}}, ["corrected", "size_class"]),
        ({"token": "mean"}, ["token: got 'mean'", "Allowed: avg, cls, cls+avg"]),
        ({"weights": {"kind": "hub", "tag": "a", "sha256": "0" * 64}}, ["have no 'sha256'"]),
        ({"weights": {"kind": "url", "url": "ftp://x"}}, ["weights.url"]),
    ],
)
def test_mistakes_in_own_models_are_named(own, changes, parts):
    own(**changes)
    with pytest.raises(UserError) as error:
        model_specs()
    for part in parts:
        assert part in str(error.value)


def test_what_a_kind_of_weights_needs():
    for bad in ({"kind": "hub"}, {"kind": "url"}, {"kind": "untrained", "tag": "x"}):
        with pytest.raises(ValueError, match="need|have no"):
            WeightsSpec(**bad)
