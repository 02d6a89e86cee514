"""The one door for what a user writes: pydantic models, and their errors as lines for people.

Every file and section that a user writes is a `Checked` model (or a pydantic dataclass) and comes
in through `validated`. What is wrong is refused in one line each, which names the file, the key,
what was got, what is allowed and the nearest valid name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
)

from simcons.core.errors import UserError, did_you_mean
from simcons.core.files import read_yaml

T = TypeVar("T")

CHECKED = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Of a pydantic dataclass that a user writes, as of `Checked`."""


class Checked(BaseModel):
    """A part of what a user writes: no unknown key, no NaN, and it does not change afterwards."""

    model_config = ConfigDict(frozen=True, **CHECKED)


def load_validated(kind: type[T], path: Path) -> T:
    """Read a YAML file and validate it.

    Raises
    ------
    UserError
        If the file is missing, is not YAML, or holds anything that is not allowed: one line for
        each problem.
    """
    return validated(kind, read_yaml(path), where=str(path))


def validated(kind: type[T], values: Any, *, where: str = "", key: str = "") -> T:
    """Return what a user wrote as a pydantic model or dataclass.

    Parameters
    ----------
    kind
        The model or dataclass.
    values
        What was written, plain values.
    where
        What the message begins with, such as the file.
    key
        The key under which the values stand, such as ``probe``.

    Raises
    ------
    UserError
        If anything is not allowed: one line for each problem. A validator of a whole model may
        raise it too; then it is the only line.
    """
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        problems = "\n".join(_problem(kind, key, dict(problem)) for problem in error.errors())
    except UserError as error:
        problems = f"{key}: {error}" if key else str(error)
    raise UserError(f"{where}: {problems}" if where else problems)


def found_by(lookup: Callable[[str], Any]) -> AfterValidator:
    """Return the check of a field that a lookup finds its name, and raises a `UserError` if not."""

    def check(name: str) -> str:
        try:
            lookup(name)
        except UserError as error:
            raise ValueError(str(error)) from None
        return name

    return AfterValidator(check)


def _distinct(values: Any) -> Any:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} is listed twice")
    return values


DISTINCT = AfterValidator(_distinct)
"""Of a field that is a list or tuple: no value twice."""

EMPTY_IS_DEFAULT = BeforeValidator(lambda value: {} if value is None else value)
"""Of a field that is a section: an entry without anything behind its colon has the defaults."""

# What is allowed, by pydantic's type of the error; of others its own message is given.
_ALLOWED = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dataclass_type": "a map of settings",
    "dict_type": "a map",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
    "list_type": "a list",
    "model_type": "a map of settings",
    "multiple_of": "multiples of {multiple_of:g}",
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_type": "text",
    "too_short": "at least {min_length}",
    "tuple_type": "a list",
}


def _problem(kind: Any, prefix: str, problem: dict[str, Any]) -> str:
    """Return one line for one of pydantic's problems."""
    location = [str(part) for part in problem["loc"] if part != "[key]"]
    key = ".".join([*filter(None, [prefix]), *location])
    error, message = problem["type"], problem["msg"]
    if error in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key '{key}': {did_you_mean(location[-1], _keys(kind, location[:-1]))}"
    if error == "missing":
        return f"key '{key}' is missing"
    if error == "value_error":
        message = message.removeprefix("Value error, ")
        return f"{key}: {message}" if key else message
    if error == "literal_error":
        names = re.findall("'([^']*)'", problem["ctx"]["expected"])
        message = did_you_mean(str(problem["input"]), names)
    elif error in _ALLOWED:
        message = "allowed: " + _ALLOWED[error].format(**problem.get("ctx", {}))
    got = f"got {problem['input']!r}; {message}"
    return f"{key}: {got}" if key else got


def _keys(kind: Any, location: list[str]) -> Iterable[str]:
    """Return the keys that are allowed at a location; an entry of a map leads no deeper."""
    for part in location:
        field = kind.__pydantic_fields__.get(part)
        kind = next(_models_in(field.annotation if field else None), kind)
    return kind.__pydantic_fields__


def _models_in(annotation: Any) -> Iterator[Any]:
    if hasattr(annotation, "__pydantic_fields__"):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
