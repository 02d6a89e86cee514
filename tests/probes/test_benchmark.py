"""The benchmark runs and its two sweeps agree; figures are not judged here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from simcons.core.files import read_json
from simcons.probes import Protocol, WeightDecays, fit_linear_probe

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "probes.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_probes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_sweeps_reach_the_same_accuracy(benchmark: ModuleType) -> None:
    data = benchmark.synthetic(300, 400, 20, 3)
    protocol = Protocol(
        epochs=5, batch_size=100, learning_rates=(0.1, 0.01), weight_decays=WeightDecays(count=10)
    )
    sequential, n_trials = benchmark.fit_sequential(data, protocol)
    batched = fit_linear_probe(*data, protocol, 0)
    assert n_trials >= 4
    assert batched.top1 == pytest.approx(sequential, abs=0.02)  # they shuffle differently


@pytest.mark.slow
def test_the_command_writes_its_figures(benchmark: ModuleType, tmp_path: Path) -> None:
    benchmark.main(
        train=200, test=50, dim=8, classes=3, features=None, settings=1, threads=2, clock="cpu",
        out=tmp_path / "figures.json",
    )  # fmt: skip
    figures = read_json(tmp_path / "figures.json")
    assert figures["times_faster"] > 0
    assert 0 < figures["first_round_share_of_gemm_rate"] < 2
    assert figures["n_classes"] == 3
