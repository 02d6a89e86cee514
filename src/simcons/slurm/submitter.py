"""The submitter: `simcons exec` on a cluster, from submission to exit code.

What it knows of a command lies in ``.simcons/slurm/COMMAND/``: ``lock``, held as long as a
submitter of this command lives; ``record.json``, the job that it waits for; and a folder for each
submission with the script, the logs and the exit codes. Whoever gets the lock knows that the
submitter before is dead. An array that it left running is taken over if command, parts, params and
code are the same. A lone job is not: it writes the stage's output, which DVC has cleared
since; it is cancelled, and what it may have written in the meantime is cleared again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from simcons.core.errors import UserError
from simcons.core.files import (
    read_json,
    sha256_file,
    sha256_json,
    tail_lines,
    write_json,
    write_text,
)
from simcons.core.paths import Paths
from simcons.core.progress import say
from simcons.run.executor import SUBMITTER_GONE
from simcons.slurm.client import Client, UnreachableError
from simcons.slurm.job import Job, plan, sbatch_arguments, script, slug
from simcons.slurm.settings import load_settings
from simcons.slurm.tasks import ACTIVE, Outcome
from simcons.slurm.watch import Interrupts, Orphaned, Stopped, Watch

ATTEMPTS = 5  # to submit a job, and to cancel one
LOG_LINES_SHOWN = 15
FAILURES_SHOWN = 20
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Submission:
    """A job that was, or is about to be, submitted.

    Attributes
    ----------
    token
        Names its folder and makes its name unique, so that it is found even if the submitter died
        between the submission and writing down the job's id.
    job_id
        SLURM's id; empty until it is known.
    fingerprint
        Of what the job would do.
    array
        Whether it is an array, whose tasks write into the store alone.
    tasks
        Which tasks.
    attempt
        0 for the first submission of these tasks, 1 for the first retry, ...
    """

    token: str
    job_id: str
    fingerprint: str
    array: bool
    tasks: list[int]
    attempt: int


def dry_run(resource: str, command: Sequence[str]) -> str:
    """Return the scripts that would be submitted, each with its call of sbatch as a comment."""
    root = Path.cwd()
    folder = root / Paths().slurm / slug(command) / "SUBMISSION"
    text = ""
    for job in plan(resource, command, load_settings()):
        call = ["sbatch", *sbatch_arguments(job, slug(command), folder, root, job.tasks)]
        comment = shlex.join(call).replace("\n", "\\n")
        text += f"# {comment}\n{script(job, folder)}\n"
    return text


def run(resource: str, command: Sequence[str]) -> int:
    """Run a command on the cluster and wait for it.

    Returns
    -------
    int
        Its exit code; that of the first task that failed if it is an array.

    Raises
    ------
    UserError
        If slurm.yaml is not valid, or SLURM is not here or refuses the job.
    """
    settings = load_settings()
    jobs = plan(resource, command, settings)
    client = Client(settings.timeout)
    with Interrupts.catch() as interrupts:
        submitter = _Submitter(command, client, settings.poll, interrupts)
        try:
            with submitter.alone():
                for job in jobs:
                    if code := submitter.finish(job):
                        return code
                submitter.forget()
                return 0
        except Stopped as stopped:
            submitter.say(f"stopped by {stopped}")
            submitter.cancel()
            return 128 + stopped.signum
        except Orphaned:
            submitter.leave()
            return SUBMITTER_GONE


class _Submitter:
    """Submits a command's jobs one after the other and waits for each."""

    def __init__(
        self, command: Sequence[str], client: Client, poll: float, interrupts: Interrupts
    ) -> None:
        self.command, self.name, self.root = list(command), slug(command), Path.cwd()
        self.folder = self.root / Paths().slurm / self.name
        self.record = self.folder / "record.json"
        self.client, self.poll, self.interrupts = client, poll, interrupts
        self.current: Submission | None = None

    def say(self, line: str) -> None:
        """Print a line for people."""
        say(f"{self.name}: {line}")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the command's lock, waiting for another submitter of the same command here."""
        self.folder.mkdir(parents=True, exist_ok=True)
        waited = False
        with (self.folder / "lock").open("w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not waited:
                        self.say("another process runs the same command here; waiting for it")
                    waited = True
                    self.interrupts.sleep(0.5)
            self._take_over(waited)
            yield

    def _take_over(self, waited: bool) -> None:
        """See what a dead submitter left: keep a living array, end a living lone job."""
        left = self._left_over()
        if left is not None and left.array:
            self.current = left
            return
        if left is not None:
            self.say(f"cancelling job {left.job_id}, left by a submitter that died")
            self._cancel_and_wait(left)
        if waited or left is not None:
            _clear_outputs()
        for old in self.folder.iterdir():  # of earlier submissions, none of which is alive
            if old.is_dir():
                shutil.rmtree(old, ignore_errors=True)

    def _left_over(self) -> Submission | None:
        """Return the job that a dead submitter waited for, if that is alive."""
        if not self.record.is_file():
            return None
        left = Submission(**read_json(self.record))
        job_id = left.job_id or self._insist(lambda: self.client.find(self._job_name(left.token)))
        if not job_id:
            return None
        left = replace(left, job_id=job_id)
        return left if self._alive(left) else None

    def _alive(self, submission: Submission) -> bool:
        states = self._insist(lambda: self.client.states(submission.job_id))
        return any(state.state in ACTIVE for state in states.values())

    def _insist(self, ask: Callable[[], Answer]) -> Answer:
        """Ask SLURM until it answers."""
        complained = False
        while True:
            try:
                return ask()
            except UnreachableError as error:
                if not complained:
                    self.say(f"SLURM does not answer ({error}); waiting")
                complained = True
                self.interrupts.sleep(min(self.poll, 5.0))

    def finish(self, job: Job) -> int:
        """Submit a job (or take over what runs already), wait, retry; return the exit code."""
        fingerprint = _fingerprint(self.command, job)
        submission = self.current
        if submission is not None and submission.fingerprint == fingerprint:
            self.say(f"job {submission.job_id} is still running; waiting for it")
        else:
            if submission is not None:
                self.say(f"cancelling job {submission.job_id}: params, code or slurm.yaml differ")
                self._cancel_and_wait(submission)
            submission = self._submit(job, fingerprint, job.tasks, attempt=0)
        while True:
            failed = [o for o in self._wait(job, submission) if o.failed]
            failed.sort(key=lambda o: o.worth_retrying)  # first those for which there is no hope
            over = submission.attempt >= job.resources.retries
            if not failed or over or not failed[0].worth_retrying:
                break
            for line in _failures(job, submission, failed):
                self.say(line)
            attempt, again = submission.attempt + 1, [o.task for o in failed]
            self.say(f"retry {attempt} of {job.resources.retries} of {len(again)} tasks")
            submission = self._submit(job, fingerprint, again, attempt)
        self.current = None
        if not failed:
            return 0
        self.forget()
        self._complain(job, submission, failed)
        return failed[0].code

    def _submit(self, job: Job, fingerprint: str, tasks: list[int], attempt: int) -> Submission:
        token = uuid.uuid4().hex[:8]
        folder = self.folder / token
        folder.mkdir(parents=True)
        write_text(folder / "script.sh", script(job, folder))
        self.interrupts.check()
        submission = Submission(token, "", fingerprint, bool(job.parts), tasks, attempt)
        self._remember(submission)
        arguments = sbatch_arguments(job, self._job_name(token), folder, self.root, tasks)
        submission = replace(submission, job_id=self._call_sbatch(arguments, token))
        self._remember(submission)
        what = f"array of {len(tasks)} model parts" if job.parts else "job"
        self.say(f"submitted {what} as job {submission.job_id}")
        return submission

    def _remember(self, submission: Submission) -> None:
        self.current = submission
        write_json(self.record, asdict(submission))

    def forget(self) -> None:
        """Forget the last job: it is over and seen to."""
        self.record.unlink(missing_ok=True)

    def _job_name(self, token: str) -> str:
        return f"{self.name}-{token}"

    def _call_sbatch(self, arguments: list[str], token: str) -> str:
        for attempt in range(ATTEMPTS):
            try:
                return self.client.submit(arguments)
            except UnreachableError as error:
                self.say(f"{error}; trying again")
                self.interrupts.sleep(2.0**attempt)
                # It may have arrived although the answer did not.
                if found := self._insist(lambda: self.client.find(self._job_name(token))):
                    return found
        raise UserError(f"{self.name}: SLURM took no job in {ATTEMPTS} attempts")

    def _wait(self, job: Job, submission: Submission) -> list[Outcome]:
        folder = self.folder / submission.token
        prefixes = {t: f"[{t}/{job.parts}]" if job.parts else "|" for t in submission.tasks}
        watch = Watch(self.client, submission.job_id, folder, prefixes, self.name)
        return watch.wait(self.interrupts, self.poll)

    def _complain(self, job: Job, submission: Submission, failed: list[Outcome]) -> None:
        count = f"{len(failed)} of {job.parts} tasks" if job.parts else "the job"
        lines = [f"error: {shlex.join(self.command)}: {count} failed"]
        lines += [f"  {line}" for line in _failures(job, submission, failed)]
        lines += [f"the end of {failed[0].log}:"]
        lines += [f"  | {line}" for line in tail_lines(failed[0].log, LOG_LINES_SHOWN)]
        say("\n".join(lines))

    def cancel(self) -> None:
        """Cancel the job that runs, if one does."""
        if self.current is None:
            return
        job_id, name = self.current.job_id, self._job_name(self.current.token)
        for attempt in range(ATTEMPTS):
            try:
                job_id = job_id or self.client.find(name) or ""
                if job_id:
                    self.client.cancel(job_id)
                    self.say(f"cancelled job {job_id}")
                return
            except UnreachableError as error:
                self.say(str(error))
                time.sleep(attempt)
        how = f"scancel {job_id}" if job_id else f"scancel --name={name}"
        self.say(f"could not cancel the job; run: {how}")

    def leave(self) -> None:
        """Go, since DVC was killed: an array goes on, for the next run to find; a lone job ends."""
        if self.current is not None and self.current.array:
            self.say(f"what started this is gone; job {self.current.job_id} goes on")
        else:
            self.cancel()

    def _cancel_and_wait(self, submission: Submission) -> None:
        self._insist(lambda: self.client.cancel(submission.job_id))
        while self._alive(submission):
            self.interrupts.sleep(0.5)


def _failures(job: Job, submission: Submission, failed: Sequence[Outcome]) -> list[str]:
    """Return a line for each failed task: model part, job, node, reason, exit code, log."""
    lines = []
    for o in failed[:FAILURES_SHOWN]:
        job_id = f"{submission.job_id}_{o.task}" if job.parts else submission.job_id
        where = f"on node {o.node}" if o.node else "before it reached a node"
        code = "" if o.reason.startswith("exit code") else f" (exit code {o.code})"
        lines.append(f"{job.task_name(o.task)}, task {job_id} {where}: {o.reason}{code}; {o.log}")
    if len(failed) > FAILURES_SHOWN:
        lines.append(f"... and {len(failed) - FAILURES_SHOWN} more")
    return lines


def _fingerprint(command: Sequence[str], job: Job) -> str:
    """Return what decides whether a running job does what a new one would.

    Data are not in it: a task of an array names its results in the store by the content that they
    were made from, so that one that was started on other data costs time and nothing else.
    """
    import simcons

    package = Path(simcons.__file__).parent
    files = [*package.rglob("*.py"), *package.rglob("*.yaml"), *Path("stages").glob("*.py")]
    files += [Paths().params]
    digests = {str(f): sha256_file(f) for f in files if f.is_file()}
    what = {"command": list(command), "parts": job.parts, "files": digests}
    return sha256_json({**what, "resources": job.resources.model_dump(mode="json")})


def _clear_outputs() -> None:
    """Clear the outputs of the DVC stage that this command belongs to, as DVC did before it ran."""
    if stage := os.environ.get("DVC_STAGE"):
        from simcons.run.pipeline import remove_outputs

        remove_outputs(stage)
