"""Parts of the models, each for a task of a SLURM array."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcons.core.errors import UserError
from simcons.study.parts import model_part


@given(
    st.dictionaries(st.text("abc", min_size=1), st.floats(0, 1e9), max_size=30), st.integers(1, 9)
)
def test_every_model_is_in_one_group_and_groups_are_balanced(costs, n):
    groups = [model_part(costs, {"SIMCONS_MODEL_GROUP": f"{k}/{n}"}) for k in range(1, n + 1)]
    assert sorted(m for group in groups for m in group) == sorted(costs)
    loads = [sum(costs[m] for m in group) for group in groups]
    # Greedy from the costliest on: no group is ahead by more than one model.
    assert max(loads) - min(loads) <= max(costs.values(), default=0) * (1 + 1e-9)


def test_without_the_variable_there_are_no_groups():
    assert model_part({"a": 1}, {}) is None


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "2", "a/b", "1/0", "-1/2", "1/2/3"])
def test_a_wrong_group_is_refused(text):
    with pytest.raises(UserError, match=r"SIMCONS_MODEL_GROUP: got .*k/n"):
        model_part({"a": 1}, {"SIMCONS_MODEL_GROUP": text})
