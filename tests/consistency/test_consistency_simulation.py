"""Simulations: do the tests hold their level, do the intervals cover, is what was planted found?

Slow; `benchmarks/consistency_simulation.py` runs the same trials and prints the figures. The short
versions here run always: they catch gross failures.
"""

from __future__ import annotations

import pytest
from simulate_consistency import (
    coverage_of_gap,
    coverage_of_intervals,
    planted_consistency,
    rejections_of_contrast,
    rejections_of_drivers,
    rejections_of_mantel,
    true_r,
)

TRIALS = 1000


@pytest.mark.slow
@pytest.mark.parametrize(
    "rejections", [rejections_of_mantel, rejections_of_contrast, rejections_of_drivers]
)
def test_permutation_tests_reject_at_their_level(rejections):
    assert 0.03 <= rejections(TRIALS, seed=0) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("scheme", ["models", "datasets", "both"])
def test_intervals_cover(scheme, method):
    for kind, share in coverage_of_intervals(TRIALS, scheme, method, seed=0).items():
        assert 0.90 <= share <= 0.98, kind


@pytest.mark.slow
def test_gap_intervals_cover():
    for kind, share in coverage_of_gap(TRIALS, seed=0).items():
        assert 0.90 <= share <= 0.98, kind


@pytest.mark.parametrize(
    "rejections", [rejections_of_mantel, rejections_of_contrast, rejections_of_drivers]
)
def test_permutation_tests_reject_seldom_in_few_trials(rejections):
    assert rejections(40, seed=1) <= 0.2


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_planted_consistency_is_recovered(rho):
    assert planted_consistency(rho, n_models=60, seed=0) == pytest.approx(
        true_r("pearson", rho**2), abs=0.06
    )
