"""Errors that are for people: one message, no stack trace, exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The message names the file, key, model or data set, what was got and the remedy.

    Command-line entry points print the message alone and exit with code 2.
    """


def did_you_mean(name: str, allowed: Iterable[str], *, show: int = 12) -> str:
    """Return the tail of an error message: the nearest valid name and what is allowed.

    Parameters
    ----------
    name
        What was given.
    allowed
        The valid names.
    show
        At most so many valid names are listed; of a longer list, the count is given.

    Returns
    -------
    str
        For example ``"did you mean 'digits'? Allowed: digits, letters"``.
    """
    names = sorted(set(allowed))
    lowered = {n.lower(): n for n in names}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    hint = f"did you mean '{lowered[near[0]]}'? " if near else ""
    listed = ", ".join(names[:show]) if names else "(none)"
    more = f", ... ({len(names)} in all)" if len(names) > show else ""
    return f"{hint}Allowed: {listed}{more}"


def known(what: str, name: str, allowed: Iterable[str], *, key: str = "") -> str:
    """Return a name if it is allowed.

    Raises
    ------
    UserError
        If it is not: ``KEY: unknown WHAT 'NAME'``, with the nearest valid name.
    """
    names = list(allowed)
    if name not in names:
        where = f"{key}: " if key else ""
        raise UserError(f"{where}unknown {what} '{name}': {did_you_mean(name, names)}")
    return name
