"""Model groups: a SLURM array computes a stage's models in parts, each task its own.

``SIMCONS_MODEL_GROUP=k/n`` makes a stage compute the k-th of n groups into the store and write no
output; the stage run without it then finds everything there and writes its output.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from simcons.core.errors import UserError

GROUP_VARIABLE = "SIMCONS_MODEL_GROUP"


def model_group(
    costs: Mapping[str, float], environ: Mapping[str, str] = os.environ
) -> list[str] | None:
    """Return the models of this task's group, sorted; None if the stage is not run in parts.

    Groups are balanced: models go from the costliest on to the group that has least so far.

    Parameters
    ----------
    costs
        By model, what it costs in any unit, such as its number of parameters.
    environ
        Where ``SIMCONS_MODEL_GROUP`` is looked up.

    Raises
    ------
    UserError
        If the variable is not k/n with 1 <= k <= n.
    """
    text = environ.get(GROUP_VARIABLE)
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(f"{GROUP_VARIABLE}: got {text!r}; allowed: k/n with 1 <= k <= n, as 2/8")
    k, n = int(found[1]), int(found[2])
    groups: list[list[str]] = [[] for _ in range(n)]
    loads = [0.0] * n
    for model in sorted(costs, key=lambda m: (-costs[m], m)):
        lightest = min(range(n), key=lambda g: (loads[g], len(groups[g]), g))
        groups[lightest].append(model)
        loads[lightest] += costs[model]
    return sorted(groups[k - 1])
