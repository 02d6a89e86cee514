"""Specs: what is refused, and in which words."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from simcons.core.errors import UserError
from simcons.models.zoo import objectives
from simcons.models.zoo.objectives import default_options, objective_names
from simcons.models.zoo.spec import ZooSpec, resolve_spec


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"objective": "simclt"},
            r"zoo\.m\.objective: unknown objective 'simclt': did you mean 'simclr'\?",
        ),
        (
            {"architecture": "vit_smal"},
            r"zoo\.m\.architecture: unknown .* 'vit_smal': did you mean 'vit_small'",
        ),
        ({"epohcs": 3}, r"unknown key 'zoo\.m\.epohcs': did you mean 'epochs'"),
        ({"optimizer": {"lr": 1}}, r"unknown key 'zoo\.m\.optimizer\.lr': .*learning_rate"),
        (
            {"augmentations": {"blurr": 1}},
            r"unknown key 'zoo\.m\.augmentations\.blurr': did you mean 'blur'",
        ),
        (
            {"augmentations": {"crop_min_area": 0}},
            r"ations\.crop_min_area: got 0; allowed: more than 0",
        ),
        (
            {"augmentations": {"flip_sets": ["letters"]}},
            r"augmentations\.flip_sets: unknown .* 'letters': .*coarse, fine",
        ),
        (
            {"options": {"temperature": 1}},
            r"options of objective 'supervised': unknown option 'temperature'",
        ),
        ({"epochs": -1}, r"zoo\.m\.epochs: got -1; allowed: 0 or more"),
        ({"epochs": 0}, r"objective 'supervised' needs .* epochs >= 1 \(got 0\)"),
        ({"training_sets": [], "augmentations": {}}, r"needs training_sets \(got \[\]\)"),
        ({"training_sets": ["fine", "fine"]}, r"zoo\.m\.training_sets: 'fine' is listed twice"),
        ({"image_size": 30}, r"zoo\.m\.image_size: got 30; allowed: multiples of 8"),
        ({"seed": None}, r"zoo\.m\.seed: got None; allowed: a whole number"),
        ({"objective": "untrained"}, r"control takes neither training_sets nor epochs"),
    ],
)
def test_wrong_specs_are_refused_by_name(
    make_spec: Callable[..., ZooSpec], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make_spec(**changes)


def test_a_missing_key_is_named_and_every_fault_has_a_line() -> None:
    with pytest.raises(UserError) as caught:
        ZooSpec.parse("m", {"objective": "simclr", "widht": 8})
    assert str(caught.value).splitlines() == [
        "key 'zoo.m.architecture' is missing",
        "key 'zoo.m.seed' is missing",
        "unknown key 'zoo.m.widht': did you mean 'width'? Allowed: architecture, augmentations, "
        "batch_size, epochs, image_size, images_per_set, objective, optimizer, options, seed, "
        "training_sets, width",
    ]


def test_resolve_merges_key_by_key_and_the_entry_wins() -> None:
    training = {
        "training_sets": ["a", "b"],
        "epochs": 5,
        "optimizer": {"learning_rate": 0.1, "weight_decay": 0.2},
    }
    shared = {"simclr": {"epochs": 7, "options": {"temperature": 0.3}}}
    entry = {"objective": "simclr", "architecture": "vit_small", "seed": 3}
    entry["optimizer"] = {"learning_rate": 0.5}
    spec = resolve_spec("m", entry, training, shared)
    assert spec.epochs == 7
    assert spec.training_sets == ("a", "b")
    assert spec.optimizer.learning_rate == 0.5
    assert spec.optimizer.weight_decay == 0.2
    assert spec.all_options == {**default_options("simclr"), "temperature": 0.3}


def test_resolve_gives_a_control_nothing_of_the_training() -> None:
    training = {"training_sets": ["a"], "epochs": 5, "image_size": 24}
    entry = {"objective": "untrained", "architecture": "conv_wide", "seed": 1}
    spec = resolve_spec("m", entry, training)
    assert not spec.trained
    assert (spec.epochs, spec.training_sets, spec.image_size) == (0, (), 24)
    assert spec.all_options == {}


def test_every_objective_has_literal_options_of_numbers() -> None:
    assert {"supervised", "simclr", "vicreg", "denoising", "image_text"} <= set(objective_names())
    for name in objective_names():
        assert all(isinstance(value, (int, float)) for value in default_options(name).values())
        module = importlib.import_module(f"{objectives.__name__}.{name}")
        assert default_options(name) == module.OPTIONS


def test_specs_are_validated_without_torch() -> None:
    code = (
        "import sys, types, importlib.machinery as m\n"
        "import simcons\n"
        "parent = types.ModuleType('simcons.models')\n"
        "parent.__path__ = [simcons.__path__[0] + '/models']\n"
        "sys.modules['simcons.models'] = parent\n"
        "from simcons.models.zoo.spec import ZooSpec\n"
        "ZooSpec(objective='untrained', architecture='vit_small', seed=0)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
