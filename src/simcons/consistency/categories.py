"""The model table: values of a category, families of models, and model sets as rules.

Beside it, the check that any table which an analysis is given has its columns.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

import numpy as np
import pandas as pd

from simcons.consistency.pairs import Ints
from simcons.core.errors import UserError, did_you_mean, known

FAMILY = "family"


def category_values(models: list[str], table: pd.DataFrame, category: str) -> list[str | None]:
    """Return each model's value of a category as text, None where it has none.

    Raises
    ------
    UserError
        For an unknown category or a model that the table lacks.
    """
    known("category", category, map(str, table.columns))
    missing = [model for model in models if model not in table.index]
    if missing:
        raise UserError(
            f"the model table has no row for {len(missing)} model(s) with similarities: "
            f"{', '.join(missing[:8])}; add them to the catalogue"
        )
    return [None if pd.isna(v) else str(v) for v in table.loc[models, category]]


def need_columns(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Refuse a table, called ``what`` in the message, that lacks a column."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise UserError(
            f"{what} lacks the column(s) {', '.join(missing)}; "
            f"it has {', '.join(map(str, table.columns))}"
        )


def families(models: list[str], table: pd.DataFrame) -> Ints:
    """Return the family number (m,) of every model; without a column ``family``, its own."""
    if FAMILY not in table.columns:
        return np.arange(len(models))
    values = category_values(models, table, FAMILY)
    names = [m if v is None else v for m, v in zip(models, values, strict=True)]
    return np.unique(names, return_inverse=True)[1].astype(np.intp)


def select_models(models: pd.DataFrame, rule: str | Sequence[str] | None) -> list[str]:
    """Return the ids that a rule selects.

    Terms are separated by commas (or given as a list):

    - ``category=value`` or ``category=value|value``: models with that value; terms on different
      categories must all hold, terms on the same one are alternatives;
    - an id, or a pattern with ``*``, ``?`` or ``[...]``: these models are added;
    - a minus before either removes the models it names. Removing comes last.

    A rule without any term that includes starts from all models.

    Parameters
    ----------
    models
        Model table indexed by id.
    rule
        None: all models.

    Returns
    -------
    list of str
        Sorted ids.

    Raises
    ------
    UserError
        For an unknown category or value, an id or pattern that matches nothing, or a rule that
        leaves no model.
    """
    terms = _terms(rule)
    plus = [term for term in terms if not term.startswith("-")]
    minus = [term[1:].strip() for term in terms if term.startswith("-")]
    everything = set(map(str, models.index))
    chosen = _included(models, plus) if plus else set(everything)
    for term in minus:
        chosen -= _matching(models, term)
    if not chosen:
        raise UserError(f"the rule {','.join(terms)!r} leaves no model of {len(everything)}")
    return sorted(chosen)


def _terms(rule: str | Sequence[str] | None) -> list[str]:
    parts = [] if rule is None else rule.split(",") if isinstance(rule, str) else list(rule)
    terms = [part.strip() for part in parts]
    if any(term in ("", "-") for term in terms):
        raise UserError(f"the rule {rule!r} has an empty term; terms are category=value or an id")
    return terms


def _included(models: pd.DataFrame, terms: Sequence[str]) -> set[str]:
    """Return the models that satisfy every category named, and those named by id."""
    by_category: dict[str, set[str]] = {}
    by_id: set[str] = set()
    for term in terms:
        if "=" in term:
            name = term.split("=", 1)[0].strip()
            by_category.setdefault(name, set()).update(_matching(models, term))
        else:
            by_id |= _matching(models, term)
    both = set.intersection(*by_category.values()) if by_category else set()
    return both | by_id


def _matching(models: pd.DataFrame, term: str) -> set[str]:
    """Return the models that one term (without its minus) names."""
    ids = [str(model) for model in models.index]
    if "=" in term:
        category, text = (part.strip() for part in term.split("=", 1))
        labels = category_values(ids, models, category)
        allowed = {label for label in labels if label is not None}
        values = [value.strip() for value in text.split("|")]
        for value in values:
            if value not in allowed:
                raise UserError(
                    f"no model has {category}={value!r}; {did_you_mean(value, allowed)}"
                )
        return {model for model, label in zip(ids, labels, strict=True) if label in values}
    found = {term} & set(ids) or set(fnmatch.filter(ids, term))
    if not found:
        raise UserError(f"no model is called {term!r}; {did_you_mean(term, ids)}")
    return found
