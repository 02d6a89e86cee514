"""The words that figures and report share: labels, numbers, intervals, p values, counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

CATEGORY_LABELS = {
    "objective": "training objective",
    "architecture_class": "architecture",
    "train_data_class": "training data",
    "size_class": "model size",
}
# What "none" means, as a group's name: pixels are no network, and saw no training data.
NOTHING_LABELS = {"architecture_class": "no network", "train_data_class": "no training data"}
# What a similarity is related to.
AGAINST_LABELS = {"gap": "gap in accuracy", "error_consistency": "error consistency"}

Group = tuple[str, str, str]  # category, group_1, group_2


class Description(NamedTuple):
    """The words of a figure: title (what is seen), caption (with its numbers), alt text."""

    title: str
    caption: str
    alt: str

    @classmethod
    def only(cls, text: str) -> Description:
        """Return the words of a figure that has nothing to show."""
        return cls(text, text, text)


def category_label(category: str) -> str:
    """Return a category's name for people."""
    return CATEGORY_LABELS.get(category, category)


def value_label(category: str, value: str) -> str:
    """Return a category's value for people: no training data instead of ``none``."""
    return NOTHING_LABELS.get(category, value) if value == "none" else value


def measure_label(measure: str) -> str:
    """Return a measure's name for people: ``cka_rbf_0.4`` is "CKA RBF 0.4"."""
    parts = measure.split("_")
    words = {"cka": "CKA", "rsa": "RSA", "rbf": "RBF", "biased": "(biased)"}
    if parts[0] == "rsa" and len(parts) == 3:
        return f"RSA {parts[1]}/{parts[2].capitalize()}"
    return " ".join(words.get(part, part) for part in parts)


def number(value: float, digits: int = 2) -> str:
    """Format a number with a fixed count of decimals and a real minus; "n/a" if not finite."""
    if value is None or not np.isfinite(value):
        return "n/a"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def interval(low: float, high: float) -> str:
    """Return " [0.61, 0.80]" for a caption, or nothing where there is no interval."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return ""
    return f" [{number(low)}, {number(high)}]"


def p_is(p: float, digits: int = 3) -> str:
    """Return "p = 0.012", or "p < 0.001" below the last decimal, with unbroken spaces."""
    if not np.isfinite(p):
        return "p n/a"
    least = 10.0**-digits
    sign, shown = ("<", least) if p < least else ("=", p)
    return f"p\u00a0{sign}\u00a0{shown:.{digits}f}"


def r_is(value: float) -> str:
    """Return "r = 0.71" with spaces at which no line is broken."""
    return f"r\u00a0=\u00a0{number(value)}"


def count(n: int, noun: str) -> str:
    """Return "1 model", "3 models"."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def short(text: str, limit: int = 30) -> str:
    """Shorten a long name in its middle: both ends tell models of one family apart."""
    if len(text) <= limit:
        return text
    head = (limit - 1) * 3 // 5
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def clipped(text: str, limit: int = 26) -> str:
    """Cut a long name at its end, for names that differ at the start (data sets)."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip(' (-')}…"


def group_label(group: Group) -> str:
    """Return the words for a group pair."""
    category, first, second = group
    if category == "all":
        return "all models"
    first, second = value_label(category, first), value_label(category, second)
    return f"within {first}" if first == second else f"{first} × {second}"


def contrast_label(category: str, group_1: str, group_2: str, limit: int = 40) -> str:
    """Return "Supervised − VICReg"."""
    names = (short(value_label(category, name), limit) for name in (group_1, group_2))
    return " − ".join(names)


def predictor_label(predictor: str) -> str:
    """Return "same training objective" for ``same objective``."""
    return f"same {category_label(predictor.removeprefix('same '))}"


def counted(reasons: pd.Series) -> str:
    """Return how often each reason occurs: "biased measure: 1; no split halves: 3"."""
    counts = reasons[reasons != ""].value_counts().sort_index()
    return "; ".join(f"{reason}: {n}" for reason, n in counts.items())
