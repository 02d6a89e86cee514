"""Checking a YAML file against a pydantic model, with errors for people.

An unknown key or a value that makes no sense is refused in one line that names the key, what was
got, what is allowed and the nearest valid name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from simcons.core.errors import UserError, did_you_mean
from simcons.core.files import read_yaml

Model = TypeVar("Model", bound=BaseModel)


def load_validated(model: type[Model], path: Path) -> Model:
    """Read a YAML file and validate it.

    Raises
    ------
    UserError
        If the file is missing, is not YAML, or holds anything that is not allowed: one line for
        each problem.
    """
    values = read_yaml(path)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "\n".join(_problem(model, dict(e)) for e in error.errors())
        raise UserError(f"{path}: {problems}") from None


def _problem(model: type[BaseModel], error: dict[str, Any]) -> str:
    """Return one line for one problem: key, what was got, what is allowed."""
    location = [part for part in error["loc"] if part != "[key]"]
    key = ".".join(map(str, location))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        allowed = _keys_beside(model, location)
        return f"unknown key '{key}': {did_you_mean(str(location[-1]), allowed)}"
    if error["type"] == "missing":
        return f"key '{key}' is missing"
    if error["type"] == "value_error":
        return f"{key}: {message}" if key and not message.startswith(key) else message
    got = error["input"]
    return f"{key}: got {got!r}; {message[0].lower()}{message[1:]}"


def _keys_beside(model: type[BaseModel], location: list[Any]) -> Iterable[str]:
    """Return the keys that are allowed where an unknown one was found."""
    section = model
    for part in location[:-1]:
        # A name of a map of sections (a data set, a resource class) leads no deeper.
        section = next(_sections_of(section.model_fields.get(str(part))), section)
    return section.model_fields


def _sections_of(field: Any) -> Iterator[type[BaseModel]]:
    if field is None:
        return
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind
