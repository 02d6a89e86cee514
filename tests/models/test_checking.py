"""`simcons models check`: shapes, parameters and speed, for models of every source."""

from __future__ import annotations

from importlib.resources import files

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from simcons.catalog import model_spec
from simcons.cli.app import app
from simcons.core.errors import UserError
from simcons.models.checking import check_model

ONE_OF_EACH_SOURCE = ["resnext50_32x4d", "resnet50", "OpenCLIP_RN50_openai", "Kakaobrain_Align"]
# DINOv2's count includes what is not loaded (mask token; positions of 518 pixels); of MAE ViT-B the
# paper's count is none of the architecture.
OTHER_COUNTS = {
    *(f"dinov2-vit-{size}-p14" for size in ("small", "base", "large", "giant")),
    "mae-vit-base-p16",
}


def paper_and_newer() -> list[str]:
    folder = files("simcons.catalog").joinpath("models")
    return [
        model
        for name in ("paper.yaml", "newer.yaml")
        for model in YAML(typ="safe").load(folder.joinpath(name).read_text())
    ]


@pytest.mark.parametrize(
    "model",
    [
        *ONE_OF_EACH_SOURCE,
        *(
            pytest.param(model, marks=pytest.mark.slow)
            for model in paper_and_newer()
            if model not in ONE_OF_EACH_SOURCE
        ),
    ],
)
def test_shapes_and_parameters_are_the_catalogues(model):
    spec = model_spec(model)
    result = check_model(spec, shapes_only=True, batch_size=2)
    assert result.output_shape == (2, spec.feature_dim)
    listed = {name for name, _, _ in result.layers}
    assert spec.layer in {*listed, "pooled"}
    counted = {result.parameters, result.whole_parameters}
    assert (spec.params in counted) == (model not in OTHER_COUNTS)
    assert bool(result.problems) == (model in OTHER_COUNTS)


def test_a_small_model_is_timed():
    result = check_model(model_spec("untrained_vit_tiny"), batch_size=2)
    assert result.images_per_second > 1
    assert result.input_shape == (2, 3, 48, 48)
    assert ("norm", "LayerNorm", (2, 10, 192)) in result.layers
    assert result.problems == []


def test_the_command_shows_layers_and_facts(monkeypatch):
    monkeypatch.setattr("simcons.models.checking.MIN_SECONDS", 0.0)
    shown = CliRunner().invoke(app, ["models", "check", "efficientnet_lite0", "--batch-size", "1"])
    assert shown.exit_code == 0, shown.output
    for part in ("blocks.6", "SHA-256 5793442", "1 x 1280", "4,652,008", "images per second"):
        assert part in shown.output
    shown = CliRunner().invoke(app, ["models", "check", "dinov2-vit-small-p14", "--shapes"])
    assert shown.exit_code == 0, shown.output
    assert "<- the representation (cls)" in shown.output
    assert "note: it has 21,628,800" in shown.output


def test_another_dimension_is_an_error(monkeypatch):
    spec = model_spec("untrained_vit_tiny").model_copy(update={"feature_dim": 99})
    monkeypatch.setattr("simcons.cli.entries.model_spec", lambda _: spec)
    done = CliRunner().invoke(app, ["models", "check", "x", "--shapes"])
    assert isinstance(done.exception, UserError)
    assert "shape (8, 192), the catalogue says (8, 99)" in str(done.exception)


def test_what_cannot_be_offline_is_refused():
    spec = model_spec("pixels").model_copy(update={"source": "python", "name": "a:b"})
    with pytest.raises(UserError, match="leave out --offline"):
        check_model(spec, random_weights=True)
