"""Parts of the models: each task of a SLURM array computes its own, so that none does all.

``SIMCONS_MODEL_GROUP=k/n`` makes a stage compute the k-th of n parts into the store and write no
output; the stage run without it then finds everything there and writes its output.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from simcons.core.errors import UserError

PART_VARIABLE = "SIMCONS_MODEL_GROUP"


def model_part(
    costs: Mapping[str, float], environ: Mapping[str, str] = os.environ
) -> list[str] | None:
    """Return the models of this task's part, sorted; None if the stage is not run in parts.

    Parts are balanced: models go from the costliest on to the part that has least so far.

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
    text = environ.get(PART_VARIABLE)
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(f"{PART_VARIABLE}: got {text!r}; allowed: k/n with 1 <= k <= n, as 2/8")
    k, n = int(found[1]), int(found[2])
    parts: list[list[str]] = [[] for _ in range(n)]
    loads = [0.0] * n
    for model in sorted(costs, key=lambda m: (-costs[m], m)):
        lightest = min(range(n), key=lambda part: (loads[part], len(parts[part]), part))
        parts[lightest].append(model)
        loads[lightest] += costs[model]
    return sorted(parts[k - 1])
