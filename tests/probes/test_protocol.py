from __future__ import annotations

import itertools
import json
import math

import pytest

from simcons.core.errors import UserError
from simcons.probes import Protocol, WeightDecays


def test_defaults_are_the_studys_protocol() -> None:
    protocol = Protocol()
    assert (protocol.epochs, protocol.batch_size, protocol.seeds) == (20, 1024, (0, 1, 2))
    grid = protocol.weight_decays.values()
    assert len(grid) == 64
    # Every ninth is a decade, both ends exact.
    assert grid[0] == 1e-6
    assert grid[-1] == 10.0
    assert grid[::9] == pytest.approx([10.0**k for k in range(-6, 2)], rel=1e-12)
    ratios = {round(b / a, 9) for a, b in itertools.pairwise(grid)}
    assert len(ratios) == 1


def test_grid_of_one_value() -> None:
    assert WeightDecays(0.5, 0.5, 1).values() == [0.5]


def test_from_params_reads_the_section() -> None:
    section = {
        "solver": "adamw",
        "epochs": 5,
        "learning_rates": [0.1, 0.01],
        "weight_decays": {"start": 1e-3, "stop": 1, "count": 4},
        "seeds": [3],
        "few_shot": None,
        "normalize": False,
    }
    protocol = Protocol.from_params(section)
    assert protocol.learning_rates == (0.1, 0.01)
    assert protocol.weight_decays == WeightDecays(1e-3, 1, 4)
    assert protocol.seeds == (3,)
    assert not protocol.normalize


def test_identity_is_json_and_leaves_seeds_out() -> None:
    one, two = Protocol(seeds=(0,)), Protocol(seeds=(0, 1))
    assert json.dumps(one.identity(), sort_keys=True) == json.dumps(two.identity(), sort_keys=True)
    assert Protocol(epochs=3).identity() != one.identity()


def test_identity_holds_only_what_the_solver_uses() -> None:
    assert Protocol(temperature=0.1).identity() == Protocol().identity()
    for solver in ("lbfgs", "ridge", "knn"):
        assert Protocol(solver=solver).identity() == Protocol(solver=solver, epochs=3).identity()
    for change in ({"temperature": 0.1}, {"neighbours": (5,)}, {"few_shot": 3}):
        assert Protocol(solver="knn", **change).identity() != Protocol(solver="knn").identity()
    grid = WeightDecays(count=5)
    for solver in ("lbfgs", "ridge"):
        changed = Protocol(solver=solver, weight_decays=grid).identity()
        assert changed != Protocol(solver=solver).identity()


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"weight_decays": {"begin": 1}}, "probe.weight_decays.begin"),
        ({"weight_decays": [1, 2]}, "probe.weight_decays"),
        ({"weight_decays": {"start": 0}}, "weight_decays.start: got 0"),
        ({"weight_decays": {"start": 1, "stop": 0.1}}, "weight_decays.stop: got 0.1"),
        ({"weight_decays": {"count": 0}}, "weight_decays.count: got 0"),
        ({"solver": "adam"}, "did you mean 'adamw'"),
        ({"regularization": "L3"}, "probe.regularization"),
        ({"epochs": 0}, "probe.epochs: got 0"),
        ({"epochs": True}, "probe.epochs: got True"),
        ({"batch_size": 2.5}, "probe.batch_size"),
        ({"learning_rates": []}, "probe.learning_rates"),
        ({"learning_rates": [0.1, 0.1]}, "probe.learning_rates"),
        ({"learning_rates": [0.1, -1]}, "probe.learning_rates"),
        ({"learning_rates": 0.1}, "probe.learning_rates"),
        ({"validation_fraction": 1.0}, "probe.validation_fraction"),
        ({"few_shot": 0}, "probe.few_shot"),
        ({"normalize": "yes"}, "probe.normalize"),
        ({"neighbours": [5, 5]}, "probe.neighbours"),
        ({"temperature": 0}, "probe.temperature: got 0"),
        ({"solver": "lbfgs", "regularization": "l1"}, "solver lbfgs has l2 only"),
        ({"solver": "knn", "normalize": False}, "solver knn needs true"),
        ({"memory_gb": math.inf}, "probe.memory_gb"),
        ({"seeds": [-1]}, "probe.seeds"),
        ({"seeds": [0, 0]}, "probe.seeds"),
    ],
)
def test_bad_values_are_named(section: dict, named: str) -> None:
    with pytest.raises(UserError) as error:
        Protocol.from_params(section)
    assert named in str(error.value)
    assert "\n" not in str(error.value)
