"""`simcons run`: independent stages side by side, each by `dvc repro --single-item`.

- `schedule`: which stage may start when; no processes, no DVC;
- `runner`: the processes, their logs, Ctrl-C, the audit;
- `display`: the table on a terminal, lines in a log.
"""
