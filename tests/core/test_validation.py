"""The one formatter of validation errors: a line for each problem, for people."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from simcons.core.errors import UserError, known
from simcons.core.validation import (
    CHECKED,
    DISTINCT,
    EMPTY_IS_DEFAULT,
    Checked,
    found_by,
    load_validated,
    validated,
)


@dataclass(frozen=True, config=CHECKED)
class Grid:
    start: float = 1.0
    count: Annotated[int, Field(ge=1, lt=9)] = 4


class Part(Checked):
    color: Literal["red", "green"] = "red"
    grid: Grid = Grid()
    wide: bool = False


def _animal(name: str) -> None:
    known("animal", name, ["cat", "dog"])


class Whole(Checked):
    parts: dict[str, Annotated[Part, EMPTY_IS_DEFAULT]]
    animals: Annotated[list[Annotated[str, found_by(_animal)]], DISTINCT, Field(min_length=1)]
    code: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    grid: Grid | None = None

    @model_validator(mode="after")
    def _parts_are_animals(self) -> Whole:
        for name in self.parts:
            known("animal", name, self.animals, key="parts")
        return self


GOOD = {"parts": {"cat": None}, "animals": ["cat"]}


def test_an_empty_entry_has_the_defaults_and_nothing_can_be_changed():
    whole = validated(Whole, GOOD)
    assert whole.parts == {"cat": Part()}
    with pytest.raises(ValueError, match="frozen"):
        whole.code = "b"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cod": 1}, "unknown key 'cod': did you mean 'code'? Allowed: animals, code, grid, parts"),
        (
            {"parts": {"cat": {"colour": "red"}}},
            "unknown key 'parts.cat.colour': did you mean 'color'? Allowed: color, grid, wide",
        ),
        (
            {"parts": {"cat": {"grid": {"counts": 1}}}},
            "unknown key 'parts.cat.grid.counts': did you mean 'count'? Allowed: count, start",
        ),
        (
            {"grid": {"stat": 1}},
            "unknown key 'grid.stat': did you mean 'start'? Allowed: count, start",
        ),
        (
            {"parts": {"cat": {"color": "gren"}}},
            "parts.cat.color: got 'gren'; did you mean 'green'? Allowed: green, red",
        ),
        ({"grid": {"count": 0}}, "grid.count: got 0; allowed: 1 or more"),
        ({"grid": {"count": 9}}, "grid.count: got 9; allowed: less than 9"),
        ({"grid": {"count": 1.5}}, "grid.count: got 1.5; allowed: a whole number"),
        ({"grid": {"count": "x"}}, "grid.count: got 'x'; allowed: a whole number"),
        ({"grid": {"start": "x"}}, "grid.start: got 'x'; allowed: a number"),
        ({"grid": {"start": float("nan")}}, "grid.start: got nan; allowed: a finite number"),
        ({"grid": 3}, "grid: got 3; allowed: a map of settings"),
        ({"parts": []}, "parts: got []; allowed: a map"),
        ({"parts": {"cat": {"wide": "so"}}}, "parts.cat.wide: got 'so'; allowed: true or false"),
        ({"animals": "cat"}, "animals: got 'cat'; allowed: a list"),
        ({"animals": []}, "animals: got []; allowed: at least 1"),
        ({"animals": ["cat", "cat"]}, "animals: 'cat' is listed twice"),
        (
            {"animals": ["cat", "dogg"]},
            "animals.1: unknown animal 'dogg': did you mean 'dog'? Allowed: cat, dog",
        ),
        ({"code": "A"}, "code: got 'A'; allowed: text of the form ^[a-z]+$"),
        ({"code": 1}, "code: got 1; allowed: text"),
        ({"parts": {"dog": {}}}, "parts: unknown animal 'dog': Allowed: cat"),
    ],
)
def test_a_line_names_the_key_what_was_got_and_what_is_allowed(change, message):
    with pytest.raises(UserError) as error:
        validated(Whole, GOOD | change)
    assert str(error.value) == message


def test_every_problem_has_a_line_below_the_place_and_key_that_are_given():
    with pytest.raises(UserError) as error:
        validated(Whole, {"parts": {}, "code": 1, "x": 1}, where="own.yaml", key="pets")
    assert str(error.value).splitlines() == [
        "own.yaml: key 'pets.animals' is missing",
        "pets.code: got 1; allowed: text",
        "unknown key 'pets.x': Allowed: animals, code, grid, parts",
    ]
    with pytest.raises(UserError) as error:
        validated(Whole, GOOD | {"parts": {"dog": {}}}, where="own.yaml", key="pets")
    assert str(error.value) == "own.yaml: pets: parts: unknown animal 'dog': Allowed: cat"
    with pytest.raises(UserError, match="pets: got 3; allowed: a map of settings"):
        validated(Whole, 3, key="pets")


def test_the_file_is_named(tmp_path):
    path = tmp_path / "whole.yaml"
    path.write_text("parts: {cat: }\nanimals: [cat]\n")
    assert load_validated(Whole, path) == validated(Whole, GOOD)
    path.write_text("")
    with pytest.raises(UserError) as error:
        load_validated(Whole, path)
    assert str(error.value) == f"{path}: got None; allowed: a map of settings"
