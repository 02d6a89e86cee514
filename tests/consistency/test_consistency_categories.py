"""Model sets as rules."""

from __future__ import annotations

import pandas as pd
import pytest

from simcons.consistency import select_models
from simcons.core.errors import UserError

MODELS = pd.DataFrame(
    {
        "objective": ["Supervised", "Supervised", "Self-Supervised", "Self-Supervised", None],
        "architecture_class": ["Convolutional", "Transformer", "Transformer", "Transformer", None],
    },
    index=["resnet50", "vit", "mae-base", "dino", "pixels"],
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (None, ["dino", "mae-base", "pixels", "resnet50", "vit"]),
        ("objective=Self-Supervised", ["dino", "mae-base"]),
        ("objective=Self-Supervised,-mae-*", ["dino"]),
        ("-mae-*, -pixels", ["dino", "resnet50", "vit"]),
        ("objective=Supervised,architecture_class=Transformer", ["vit"]),
        ("objective=Supervised,objective=Self-Supervised,architecture_class=Transformer",
         ["dino", "mae-base", "vit"]),
        ("objective=Supervised|Self-Supervised", ["dino", "mae-base", "resnet50", "vit"]),
        ("objective=Self-Supervised,resnet*", ["dino", "mae-base", "resnet50"]),
        ("-objective=Supervised", ["dino", "mae-base", "pixels"]),
        (["vit", "pixels"], ["pixels", "vit"]),
    ],
)  # fmt: skip
def test_rules(rule, expected):
    assert select_models(MODELS, rule) == expected


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("objectiv=Supervised", "did you mean 'objective'"),
        ("objective=Self-supervised", "did you mean 'Self-Supervised'"),
        ("resnet5", "did you mean 'resnet50'"),
        ("-mea-*", "no model is called 'mea-"),
        ("vit,-vit", "leaves no model of 5"),
        ("vit,,dino", "empty term"),
        ("-", "empty term"),
    ],
)
def test_what_is_refused(rule, message):
    with pytest.raises(UserError, match=message):
        select_models(MODELS, rule)
