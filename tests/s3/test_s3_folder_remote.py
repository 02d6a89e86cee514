"""The parts of push and pull that need no server, on a remote that is a folder."""

from __future__ import annotations

import errno
import io
import os
import tempfile
import time

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from dvc.repo import Repo
from dvc_data.hashfile.hash import hash_file
from remote_study import assert_nothing_false, assert_same_results, path_in_remote, simcons
from typer.testing import CliRunner

from simcons.cli.app import app
from simcons.core.errors import UserError
from simcons.remote import Limits, TransferError, attempts, pull, push
from simcons.remote.diagnosis import diagnose, is_absent
from simcons.remote.outputs import select
from simcons.remote.worker import Attempt, Report

FILE = "data/similarity/digits/part_1/00001.bin"


@pytest.fixture
def study(study_without_server):
    """The finished study, with a folder beside it as its remote."""
    clone = study_without_server
    clone.dvc("remote", "add", "-d", "folder", str(clone.root.parent / "remote"))
    clone.commit("remote")
    return clone


@pytest.fixture
def stranger(study, tmp_path):
    study.run("git", "clone", "-q", str(study.root), str(tmp_path / "stranger"))
    return type(study)(tmp_path / "stranger")


def attempt(clone, action, *targets, force=False):
    """Do what the worker does, in this process."""
    with Repo(str(clone.root)) as repo, open(os.devnull, "w") as nowhere:
        report = Report(os.dup(nowhere.fileno()))
        request = {"action": action, "targets": list(targets), "remote": None, "force": force}
        one = Attempt(repo, request, report)
        return one.push() if action == "push" else one.pull()


def test_what_is_pushed_is_pulled(study, stranger):
    assert attempt(study, "push")["moved"] == 41
    again = attempt(study, "push")
    assert (again["objects"], again["moved"]) == (41, 0)
    assert attempt(stranger, "pull", "similarity")["moved"] == 10
    assert [p.name for p in (stranger.root / "data").iterdir()] == ["similarity"]
    assert attempt(stranger, "pull")["moved"] == 31
    assert_same_results(stranger, study)


def test_what_is_missing_or_truncated_in_the_remote_is_named_and_healed(study, stranger):
    attempt(study, "push")
    other = FILE.replace("digits", "letters")
    path_in_remote(study, FILE).unlink()
    path_in_remote(study, other).chmod(0o644)
    path_in_remote(study, other).write_bytes(b"short")
    with pytest.raises(TransferError) as caught:
        attempt(stranger, "pull")
    assert not caught.value.retry
    message = str(caught.value)
    assert message.startswith("2 files could not be pulled; 5 outputs came whole:")
    assert f"similarity@digits: {FILE} is not in " in message
    assert f"similarity@letters: {other} is damaged in " in message
    assert_nothing_false(stranger, study)
    healed = attempt(study, "push")
    assert (healed["moved"], healed["replaced"]) == (2, 1)
    attempt(stranger, "pull")
    assert_same_results(stranger, study)


def test_hashing_what_came_is_no_silence(study, stranger, monkeypatch):
    attempt(study, "push")
    hashed = []

    def slowly(path, *args, **kwargs):
        hashed.append(path)
        time.sleep(0.3)
        return hash_file(path, *args, **kwargs)

    monkeypatch.setattr("dvc_data.hashfile.hash.hash_file", slowly)
    monkeypatch.setattr("simcons.remote.report._BEAT_SECONDS", 0.02)
    monkeypatch.setattr(Attempt, "_put_into_workspace", lambda self, outputs: None)
    with Repo(str(stranger.root)) as repo, tempfile.TemporaryFile("w+") as events:
        request = {"action": "pull", "targets": ["subset"], "remote": None, "force": False}
        Attempt(repo, request, Report(os.dup(events.fileno()))).pull()
        events.seek(0)
        beats = events.read().count('"moved"')
    assert len(hashed) >= 2
    assert beats >= 10


def test_what_is_nowhere_is_named(study):
    path_in_remote(study, FILE, "study/.dvc/cache").unlink()
    with pytest.raises(TransferError, match=rf"{FILE} is neither in this clone's cache nor"):
        attempt(study, "push")


def test_the_commands_tell_what_they_did(study, stranger, monkeypatch):
    monkeypatch.chdir(study.root)
    done = CliRunner().invoke(app, ["push"])
    assert "pushed 41 objects (0.51 MB); all 41 are there" in done.output
    monkeypatch.chdir(stranger.root)
    done = CliRunner().invoke(app, ["pull", "subset"])
    assert "pulled 2 objects (0.00 MB); all 2 are here, and whole" in done.output
    path_in_remote(study, FILE).unlink()
    done = CliRunner().invoke(app, ["pull"])
    assert done.exit_code == 1
    assert f"{FILE} is not in" in done.output
    done = CliRunner().invoke(app, ["pull", "similarities"])
    assert isinstance(done.exception, UserError)
    assert "did you mean 'similarity'" in str(done.exception)


def test_own_changes_are_kept_unless_forced(study):
    attempt(study, "push")
    mine = study.root / "data/subsets/digits.json"
    mine.unlink()
    mine.write_bytes(b"mine")
    with pytest.raises(UserError, match=r"`--force` replaces them: .*digits\.json"):
        attempt(study, "pull", "data/subsets")
    assert mine.read_bytes() == b"mine"
    attempt(study, "pull", "data/subsets", force=True)
    assert mine.read_bytes() != b"mine"


def test_outside_a_clone_the_command_says_so(tmp_path):
    with pytest.raises(UserError, match="is not a DVC repository; run this in a clone"):
        push(root=tmp_path)


def test_targets_mean_stages_families_and_paths(study, monkeypatch):
    monkeypatch.chdir(study.root)
    with Repo() as repo:

        def targets(*asked):
            return [output.target for output in select(repo, asked, "folder")[0]]

        assert len(targets()) == 7
        both = ["data/similarity/digits", "data/similarity/letters"]
        assert targets("similarity") == targets("data/similarity/") == both
        assert targets("similarity@digits") == targets("./data/similarity/digits") == both[:1]
        assert targets("data/similarity/digits/part_1") == ["data/similarity/digits/part_1"]
        assert targets("similarity", "data/similarity/digits/part_1") == both
        assert targets("subset", "consistency") == [
            "data/subsets/digits.json", "data/subsets/letters.json", "data/consistency",
        ]  # fmt: skip


def client_error(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (client_error("SignatureDoesNotMatch"), UserError, "the secret key is wrong"),
        (client_error("AccessDenied"), UserError, "access denied"),
        (NoCredentialsError(), UserError, "no key is configured"),
        (client_error("NoSuchBucket"), UserError, "there is no such bucket"),
        (EndpointConnectionError(endpoint_url="http://x"), TransferError, "no connection"),
        (TimeoutError("slow"), TransferError, "no connection"),
        (client_error("SlowDown"), TransferError, "ClientError"),
        (OSError(errno.ENOSPC, "full"), TransferError, "the disk is full: /cache"),
        (OSError(errno.EROFS, "ro", "/x/y"), TransferError, "read-only: /x/y"),
        (ValueError("odd"), TransferError, "ValueError: odd"),
    ],
)
def test_what_errors_mean(error, kind, words):
    found = diagnose(error, "s3", "s3://bucket/x", "/cache")
    assert type(found) is kind
    assert words in str(found)
    # Trying again helps where the server is at fault, not the disk.
    if kind is TransferError:
        assert found.retry == ("/" not in words)


def test_a_missing_object_is_not_a_missing_bucket():
    absent = FileNotFoundError("gone")
    absent.__cause__ = client_error("NoSuchKey")
    assert is_absent(absent)
    absent.__cause__ = client_error("NoSuchBucket")
    assert not is_absent(absent)


def test_silence_is_an_error_that_may_pass():
    reader, writer = os.pipe()
    with open(reader) as silent:
        with pytest.raises(TransferError, match="nothing has moved for 0.1"):
            list(attempts._events(silent, 0.1))
        os.close(writer)


def test_events_end_with_the_worker():
    assert list(attempts._events(io.StringIO('{"event": "moved"}\n'), 5)) == [{"event": "moved"}]


def test_retries_stop_after_their_number(tmp_path, monkeypatch, capsys):
    """The worker itself fails (no such module): every attempt breaks off."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "simcons").mkdir()
    (tmp_path / "simcons/__init__.py").write_text("")
    with pytest.raises(TransferError, match=r"pull broke off \(1\): .*simcons\.remote"):
        pull(root=tmp_path, limits=Limits(retries=3))
    assert capsys.readouterr().err == ""  # a crash is no matter for another attempt


def test_limits_are_checked():
    with pytest.raises(UserError, match="got 0 and 3"):
        Limits(silence=0)
    with pytest.raises(UserError, match="got 120 and -1"):
        Limits(retries=-1)


def test_simcons_is_one_message(study):
    done = simcons(study, "pull", "nothing", check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: 'nothing' is no stage, family of stages or path of an output")
