"""Every figure, at the extremes of a study's size."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from synthetic_study import Matrix, dataset_table, model_table, study

from simcons.core.errors import UserError
from simcons.figures import FigureInputs, catalogue, save_all, style
from simcons.figures.catalogue import not_drawn

ONE = ("cka_linear",)


def draw_everything(inputs) -> dict[str, bytes]:
    """Draw every figure, and check that nothing sticks out of it (a label would be cut)."""
    pictures = {}
    for entry in catalogue(inputs):
        name, figure = entry.name, entry.figure.draw()
        pictures[name] = style.png_bytes(figure, dpi=40)
        drawn, (width, height) = drawn_box(figure), figure.get_size_inches()
        assert drawn.x0 > -0.03, name
        assert drawn.y0 > -0.03, name
        assert drawn.x1 < width + 0.03, name
        assert drawn.y1 < height + 0.03, name
    return pictures


@style.styled
def drawn_box(figure):
    """Return the box of all that is drawn, in inches."""
    return figure.get_tightbbox()


def by_objective_only(inputs):
    """Leave the other categories out: their figures are drawn by the same code."""
    others = ["architecture_class", "train_data_class", "size_class"]
    kept = inputs.consistency[~inputs.consistency["category"].isin(others)]
    return dataclasses.replace(inputs, models=inputs.models.drop(columns=others), consistency=kept)


@pytest.mark.parametrize(
    ("n_datasets", "n_models", "options"),
    [
        (2, 3, {}),
        (1, 4, {"probes": False, "errors": False}),
        (5, 8, {"objectives": ("Supervised", "SimCLR", "Untrained", "Odd one", "Pixels")}),
    ],
)
def test_small_studies_draw(n_datasets, n_models, options):
    inputs = by_objective_only(study(n_datasets, n_models, measures=ONE, **options))
    pictures = draw_everything(inputs)
    assert "similarity_mean_cka_linear" in pictures
    assert ("scatter_cka_linear" in pictures) == (n_datasets > 1)
    assert ("mds_objective" in pictures) == (n_models > 3)
    assert ("accuracy" in pictures) == options.get("probes", True)


@pytest.mark.slow
def test_the_papers_size_draws():
    pictures = draw_everything(study(23, 64))
    assert len(pictures) == 44


def test_more_than_three_measures_are_split_over_box_plots():
    measures = tuple(f"cka_rbf_0.{k}" for k in range(2, 6))
    names = [entry.name for entry in catalogue(study(2, 6, measures=measures))]
    assert "boxes_objective_1" in names
    assert "boxes_objective_2" in names


def test_names_are_unique_and_words_complete():
    entries = catalogue(study(3, 9))
    assert len({entry.name for entry in entries}) == len(entries)
    for entry in entries:
        assert all(entry.figure.description)
        assert "nan" not in entry.figure.description.caption


def test_a_category_of_one_value_has_no_figure_and_a_reason():
    inputs = study(3, 6, measures=ONE)
    alike = dataclasses.replace(inputs, models=inputs.models.assign(size_class="small"))
    names = {entry.name for entry in catalogue(alike)}
    assert {"boxes_objective", "mds_objective", "pair_counts"} <= names
    assert not any("size_class" in name for name in names)
    counts = next(e for e in catalogue(alike) if e.name == "pair_counts")
    assert "model size" not in counts.figure.description.caption
    assert not_drawn(alike) == ["No figure by model size: all 6 models are of one value (small)."]
    assert not_drawn(inputs) == []


def test_missing_values_are_drawn_as_missing():
    inputs = by_objective_only(study(3, 6, measures=ONE, probes=False))
    matrix = inputs.similarities["cka_linear"]["ds_00"]
    matrix.values[0, 1] = matrix.values[1, 0] = np.nan
    inputs.consistency.loc[:, "r"] = np.nan
    draw_everything(inputs)
    words = {entry.name: entry.figure.description.caption for entry in catalogue(inputs)}
    assert "no r between data sets is available" in words["consistency_cka_linear"]


def test_hostile_names_are_text():
    inputs = by_objective_only(study(2, 4, measures=ONE))
    odd = inputs.datasets.assign(name=["$x_{", r"\frac{1}{0}$ % & #"])
    assert draw_everything(dataclasses.replace(inputs, datasets=odd))


def test_save_all_writes_pictures_and_captions(tmp_path):
    inputs = study(2, 3, measures=ONE, probes=False)
    inputs = by_objective_only(inputs)
    names = save_all(inputs, tmp_path)
    words = json.loads((tmp_path / "captions.json").read_text())
    assert [word["name"] for word in words] == names
    expected = {f"{name}.{suffix}" for name in names for suffix in ("png", "pdf")}
    assert {path.name for path in tmp_path.iterdir()} == expected | {"captions.json"}
    again = tmp_path / "again"
    save_all(inputs, again)
    for path in again.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def _one(values, models):
    return Matrix(models, np.asarray(values, float))


def test_inputs_that_do_not_fit_are_refused_by_name():
    models, datasets = model_table(3), dataset_table(2)
    ids = list(models.index)
    good = _one(np.eye(3), ids)

    def refused(match, similarities=None, **changes):
        chosen = {"cka_linear": similarities or {"ds_00": good}}
        with pytest.raises(UserError, match=match):
            catalogue(dataclasses.replace(FigureInputs(chosen, models, datasets), **changes))

    refused("unknown data set 'ds_09'.*did you mean 'ds_0", {"ds_09": good})
    refused("unknown model 'nobody'", {"ds_00": _one(np.eye(3), [*ids[:2], "nobody"])})
    refused("3 models but values of shape", {"ds_00": _one(np.eye(2), ids)})
    refused("do not have the same models", {"ds_00": good, "ds_01": _one(np.eye(2), ids[:2])})
    refused("another order", {"ds_00": good, "ds_01": _one(np.eye(3), ids[::-1])})
    refused("table 'models' has no column 'objective'", models=models.drop(columns="objective"))
    refused("table 'gap' has no column", gap=pd.DataFrame({"measure": []}))
