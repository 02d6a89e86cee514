"""Which stage may start when: the states of the stages of one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from simcons.run.pipeline import Step

# In the order in which they are counted for people. `waiting`: for a stage before it; `queued`: for
# a free slot; `blocked`: a stage before it failed.
STATES = ("done", "running", "queued", "waiting", "failed", "blocked")


@dataclass
class Entry:
    """A stage of the run.

    Attributes
    ----------
    step
        The stage and what it needs.
    state
        One of `STATES`.
    note
        What it last said, or why it is in its state.
    """

    step: Step
    state: str = "waiting"
    note: str = ""


class Schedule:
    """The stages of one run.

    Parameters
    ----------
    steps
        Stages in serial order, each after what it needs.
    done
        Names of those that are up to date; one that needs a stage that is not is run all the same,
        since its inputs may change.
    """

    def __init__(self, steps: Sequence[Step], done: set[str]) -> None:
        self.entries = {step.name: Entry(step) for step in steps}
        for entry in self.entries.values():
            if entry.step.name in done and self._needs(entry) <= {"done"}:
                entry.state = "done"
        self._refresh()

    def _needs(self, entry: Entry) -> set[str]:
        return {self.entries[n].state for n in entry.step.needs if n in self.entries}

    def _refresh(self) -> None:
        # In serial order, so that what is blocked blocks what follows.
        for entry in self.entries.values():
            if entry.state == "waiting":
                needs = self._needs(entry)
                if needs & {"failed", "blocked"}:
                    entry.state = "blocked"
                elif needs <= {"done"}:
                    entry.state = "queued"

    def queued(self) -> list[str]:
        """Return the stages that could start now, in serial order."""
        return [name for name, entry in self.entries.items() if entry.state == "queued"]

    def set(self, name: str, state: str, note: str = "") -> None:
        """Change a stage's state, and what follows from it for others."""
        entry = self.entries[name]
        entry.state, entry.note = state, note
        self._refresh()

    def names(self, state: str) -> list[str]:
        """Return the stages in a state, in serial order."""
        return [name for name, entry in self.entries.items() if entry.state == state]

    def counts(self) -> str:
        """Return how many stages are in which state, for people."""
        count = Counter(entry.state for entry in self.entries.values())
        return ", ".join(f"{count[state]} {state}" for state in STATES if count[state])
