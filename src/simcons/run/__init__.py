"""`simcons run`: independent stages side by side, each by `dvc repro --single-item`.

- `schedule`: which stage may start when; no processes, no DVC;
- `runner`: the processes, their logs, Ctrl-C, the audit;
- `display`: the table on a terminal, lines in a log.
"""

from __future__ import annotations

from simcons.run.runner import current_run, run

__all__ = ["current_run", "run"]
