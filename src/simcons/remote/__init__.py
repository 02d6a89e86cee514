"""Pushing outputs to a DVC remote and pulling them, so that a failure is seen and named.

DVC does the storage (its cache, its remotes, its checkout). What is added: a limit on silence,
since `dvc push` to a dead server hangs for minutes; retries; and a look at what arrived, since DVC
takes the presence of a folder's list for the presence of its files, and keeps a truncated object.

    attempts   the parent: retries, and the limit on silence
    worker     the child: one attempt
    report     what the child tells of it
    outputs    which outputs and files the targets mean
    objects    moving objects between cache and remote, and looking at them
    diagnosis  what an exception of a file system or of S3 means for people
"""

from __future__ import annotations

from simcons.remote.attempts import Limits, Summary, pull, push
from simcons.remote.diagnosis import TransferError

__all__ = ["Limits", "Summary", "TransferError", "pull", "push"]
