"""The search for learning rate and penalty: a coarse grid, then ever smaller steps around its best.

Pure search: what a setting scores comes from a function, so every solver uses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from simcons.probes.results import Trial

COARSE_STEP = 9
FINE_STEPS = (4, 2, 1)

# Scores settings (learning rate, penalty): validation accuracy and loss of each.
Score = Callable[[Sequence[tuple[float, float]]], tuple[Sequence[float], Sequence[float]]]


def search(
    score: Score, learning_rates: Sequence[float], penalties: Sequence[float]
) -> list[Trial]:
    """Score settings round by round.

    For each learning rate every ninth penalty is scored first, then those 4, 2 and 1 grid points
    to either side of the learning rate's best so far. All settings of a round are scored by one
    call: 32, 8, 8 and 8 for the four learning rates and 64 penalties of the study.

    Parameters
    ----------
    score
        Trains and scores settings.
    learning_rates
        The learning rates.
    penalties
        The grid of penalties, ascending.

    Returns
    -------
    list of Trial
        Every setting scored, in the order of scoring.
    """
    tried: dict[tuple[int, int], Trial] = {}

    def run(points: list[tuple[int, int]]) -> None:
        if points:
            settings = [(learning_rates[r], penalties[p]) for r, p in points]
            results = zip(points, settings, *score(settings), strict=True)
            for point, (rate, penalty), accuracy, loss in results:
                tried[point] = Trial(rate, penalty, float(accuracy), float(loss))

    rates = range(len(learning_rates))
    run([(r, p) for r in rates for p in range(0, len(penalties), COARSE_STEP)])
    for step in FINE_STEPS:
        centres = [
            min((t for t in tried if t[0] == r), key=lambda t: rank(tried[t])) for r in rates
        ]
        around = [(r, p + d) for r, p in centres for d in (-step, step)]
        run([t for t in around if 0 <= t[1] < len(penalties) and t not in tried])
    return list(tried.values())


def best(trials: Sequence[Trial]) -> Trial:
    """Return the trial that the protocol chooses."""
    return min(trials, key=rank)


def rank(trial: Trial) -> tuple[float, float, float, float]:
    """Return a sort key, best first.

    The highest validation accuracy; of equal ones (frequent: validation sets are small) the lowest
    validation loss; then the smaller penalty and the smaller learning rate. A diverged setting
    (loss not finite) comes last.
    """
    if not math.isfinite(trial.validation_loss):
        return math.inf, math.inf, trial.penalty, trial.learning_rate
    return -trial.validation_accuracy, trial.validation_loss, trial.penalty, trial.learning_rate
