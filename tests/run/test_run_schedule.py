"""Which stage may start when: properties over random pipelines, without processes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simcons.run.pipeline import Step
from simcons.run.schedule import STATES, Schedule


@st.composite
def pipelines(draw: st.DrawFn) -> list[Step]:
    """Stages in serial order: each needs some of those before it."""
    n = draw(st.integers(1, 12))
    return [
        Step(f"s{i}", frozenset(f"s{j}" for j in range(i) if draw(st.booleans()))) for i in range(n)
    ]


@given(pipelines(), st.data())
def test_every_stage_runs_once_after_what_it_needs(steps, data):
    schedule = Schedule(steps, set())
    needs = {step.name: step.needs for step in steps}
    running: list[str] = []
    done: list[str] = []
    while len(done) < len(steps):
        ready = schedule.queued()
        assert ready == [n for n in needs if n not in done + running and needs[n] <= set(done)]
        may_end = [("end", n) for n in running]
        what, name = data.draw(st.sampled_from([("start", n) for n in ready] + may_end))
        if what == "start":
            schedule.set(name, "running")
            running.append(name)
        else:
            schedule.set(name, "done")
            running.remove(name)
            done.append(name)
    assert schedule.names("done") == [step.name for step in steps]
    assert schedule.counts() == f"{len(steps)} done"


@given(pipelines(), st.data())
def test_a_failure_blocks_what_follows_and_nothing_else(steps, data):
    bad = data.draw(st.sampled_from([step.name for step in steps]))
    schedule = Schedule(steps, set())
    while queued := schedule.queued():
        schedule.set(queued[0], "running")
        schedule.set(queued[0], "failed" if queued[0] == bad else "done")
    follows = {bad}
    for step in steps:
        if step.needs & follows:
            follows.add(step.name)
    assert set(schedule.names("blocked")) == follows - {bad}
    assert set(schedule.names("done")) == {step.name for step in steps} - follows


@given(pipelines(), st.data())
def test_what_is_done_is_skipped_unless_something_before_it_is_not(steps, data):
    done = {step.name for step in steps if data.draw(st.booleans())}
    schedule = Schedule(steps, done)
    kept = set(schedule.names("done"))
    assert kept == {step.name for step in steps if step.name in done and step.needs <= kept}


def test_every_state_is_counted():
    schedule = Schedule([Step(s, frozenset()) for s in STATES], set())
    for state in STATES:
        schedule.entries[state].state = state
    assert schedule.counts() == ", ".join(f"1 {state}" for state in STATES)
