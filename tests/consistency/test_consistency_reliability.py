"""Reliability and its ceiling: planted noise is recovered, and what may not be corrected is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from consistency_data import Matrix, analysis

from simcons.consistency import consistency, corrected, half_values, reliabilities, reliability
from simcons.core.errors import UserError

IDS = [f"m{k:02d}" for k in range(30)]
LEFT, RIGHT = np.triu_indices(30, 1)


def symmetric(vector):
    values = np.eye(30)
    values[LEFT, RIGHT] = values[RIGHT, LEFT] = vector
    return values


def replicate_table(halves, measure="cka_linear"):
    """A row per half and pair, as the similarity stage writes them."""
    ids = np.array(IDS, dtype=object)
    parts = [
        pd.DataFrame({"measure": measure, "kind": "half", "replicate": k, "model_1": ids[LEFT],
                      "model_2": ids[RIGHT], "value": v})
        for k, v in enumerate(halves)
    ]  # fmt: skip
    jack = parts[0].assign(kind="jackknife", value=0.0)
    return pd.concat([*parts, jack]).sample(frac=1, random_state=0)


@pytest.fixture(scope="module")
def study():
    """True similarities correlate .8 between data sets; half samples have noise of known size."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=len(LEFT))
    similarities, replicates = {}, {}
    for d, noise in enumerate([0.5, 0.5, 0.8]):
        truth = np.sqrt(0.8) * shared + np.sqrt(0.2) * rng.normal(size=len(LEFT))
        error = noise * np.sqrt(2) * rng.normal(size=(2, len(LEFT)))
        similarities[f"d{d}"] = Matrix(IDS, symmetric(truth + error.mean(axis=0)))
        replicates[f"d{d}"] = replicate_table(truth + error)
    return similarities, replicates


def test_reliability_and_r_are_recovered(study):
    similarities, replicates = study
    table = pd.DataFrame(index=IDS)
    noisy = analysis(similarities, table, [], ["pearson"], measure="cka_linear")
    known = reliabilities(noisy, replicates)
    expected = [1 / 1.25, 1 / 1.25, 1 / 1.64]
    np.testing.assert_allclose(known["reliability"], expected, atol=0.05)
    found = corrected(noisy, known)
    np.testing.assert_allclose(found["r_corrected"], 0.8, atol=0.08)
    assert (found["r"] < 0.75).all()
    np.testing.assert_allclose(found["r"], consistency(similarities)["r"])
    np.testing.assert_allclose(found["r"] / found["ceiling"], found["r_corrected"])
    assert (found["reason"] == "").all()


def test_what_is_not_corrected_and_why(study):
    similarities, replicates = study
    table = pd.DataFrame(index=IDS)
    few = {name: replicates[name] for name in ("d0", "d1")}

    def of(measure="cka_linear", **settings):
        return analysis(similarities, table, [], ["spearman"], measure=measure, **settings)

    known = reliabilities(of(), few)
    found = corrected(of(overlaps=[["d0", "d1"]]), known)
    nothing = "no split halves or no variation"
    assert found["reason"].tolist() == ["data sets share images", nothing, nothing]
    assert found["shares_images"].tolist() == [True, False, False]
    assert found["r_corrected"].isna().all()
    assert np.isnan(found["ceiling"].iloc[0])  # both have halves, but their noise is shared
    biased = corrected(of("cka_linear_biased"), known)
    assert set(biased["reason"]) == {"biased measure"}
    assert biased["ceiling"].isna().all()
    low = corrected(of(), known.assign(reliability=0.4))
    assert set(low["reason"]) == {"reliability below 0.5"}


def test_spearman_brown_by_hand():
    x = np.array([1.0, 2, 3, 4])
    y = np.array([1.0, 3, 2, 4])  # r = .8
    assert reliability(np.array([[x, y]])) == pytest.approx(1.6 / 1.8)
    assert reliability(np.array([[x, y], [x, x]])) == pytest.approx(1.8 / 1.9)
    assert reliability(np.array([[x, -x]])) == 0
    assert reliability(np.array([[x, -y]])) == 0
    assert reliability(np.array([[x, y**3]]), "spearman") == pytest.approx(1.6 / 1.8)
    assert np.isnan(reliability(np.empty((0, 2, 4))))
    assert np.isnan(reliability(np.array([[x, np.ones(4)]])))


def test_halves_are_read_in_pairs():
    vectors = np.arange(4 * len(LEFT), dtype=float).reshape(4, -1)
    values = half_values(replicate_table(vectors), IDS, "cka_linear")
    assert values.shape == (2, 2, 30, 30)
    np.testing.assert_array_equal(values[1, 0, LEFT, RIGHT], vectors[2])
    np.testing.assert_array_equal(values[1, 0, RIGHT, LEFT], vectors[2])
    few = half_values(replicate_table(vectors), IDS[:5], "cka_linear")
    np.testing.assert_array_equal(few[0, 1], values[0, 1, :5, :5])
    assert half_values(replicate_table(vectors), IDS, "rsa").shape[0] == 0


def test_directions_of_a_non_symmetric_measure_are_averaged():
    table = pd.DataFrame(
        {"measure": "x", "kind": "half", "replicate": [0, 0, 1, 1], "model_1": list("abab"),
         "model_2": list("baba"), "value": [1.0, 3.0, 5.0, 6.0]}
    )  # fmt: skip
    assert half_values(table, ["a", "b"], "x")[0, :, 0, 1].tolist() == [2.0, 5.5]


def test_damaged_tables_are_refused():
    table = replicate_table(np.ones((2, len(LEFT))))
    with pytest.raises(UserError, match="lacks the column.*kind"):
        half_values(table.drop(columns="kind"), IDS, "cka_linear")
    with pytest.raises(UserError, match="1 half replicates"):
        half_values(table[table["replicate"] == 0], IDS, "cka_linear")
    gap = (table["model_1"] == "m03") & (table["model_2"] == "m07")
    with pytest.raises(UserError, match="lack some model pair"):
        half_values(table[~gap], IDS, "cka_linear")
