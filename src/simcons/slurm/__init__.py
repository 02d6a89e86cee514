"""Stages on a SLURM cluster: `simcons exec` with ``SIMCONS_EXECUTOR=slurm`` ends here.

A stage's command becomes one job or, for stages that compute model by model, a job array over
parts of the models. The tasks of an array write only into the content-addressed store; afterwards
the stage's own command runs once more, as a job, and puts its output together from the store. So a
task may be killed, run twice or outlive its submitter without harm: an output is only ever written
by the one job that the running submitter waits for.

- `settings`: slurm.yaml;
- `job`: what is submitted, and the script that says so;
- `client`: calls of sbatch, squeue, sacct, scancel;
- `tasks`: how a task ended and why;
- `watch`: waiting, with progress and the tasks' logs;
- `submitter`: submit, attach, retry, assemble, cancel.
"""

from __future__ import annotations

from simcons.slurm.submitter import dry_run, run

__all__ = ["dry_run", "run"]
