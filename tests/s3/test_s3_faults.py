"""What goes wrong with a bucket: it is named, nothing false is recorded, the next run heals."""

from __future__ import annotations

import subprocess
import time
from contextlib import closing

import pytest
from remote_study import (
    BUCKET,
    add_remote,
    assert_nothing_false,
    assert_same_results,
    copied,
    environment,
    fresh_clone,
    key_of,
    keys,
    made,
    simcons,
)

from s3_server import free_ports

pytestmark = pytest.mark.s3

FILE = "data/similarity/digits/part_1/00001.bin"
PATIENCE = 60  # seconds in which every fault must have been noticed


def start(clone, *args: str) -> subprocess.Popen[str]:
    """Start simcons and return at once."""
    return subprocess.Popen(
        ["simcons", *args],
        cwd=clone.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_objects(server, prefix: str, n: int) -> None:
    give_up = time.monotonic() + PATIENCE
    while len(keys(server, prefix)) < n:
        assert time.monotonic() < give_up, "the push does not start"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def large_finished(tmp_path_factory):
    return made(tmp_path_factory.mktemp("large") / "study", n_files=700, n_bytes=10_000)


@pytest.fixture
def large(large_finished, server, tmp_path):
    """A repository whose push takes seconds, so that it can be disturbed."""
    study = copied(large_finished, tmp_path)
    add_remote(study, server, tmp_path.name)
    return study


def test_a_server_killed_in_mid_push_is_noticed_and_the_next_push_completes(
    large, server, tmp_path
):
    push = start(large, "push", "--time-limit", "5", "--retries", "0")
    wait_for_objects(server, tmp_path.name, 150)
    server.kill()
    killed = time.monotonic()
    _, errors = push.communicate(timeout=PATIENCE)
    assert time.monotonic() - killed < PATIENCE
    assert push.returncode == 1
    assert "Traceback" not in errors
    assert "no connection" in errors or "nothing has moved" in errors
    assert errors.count("error:") == 1
    assert_nothing_false(large, large)
    server.start()
    there = len(keys(server, tmp_path.name))
    assert 0 < there < 1_417
    assert "all 1,417 are there" in simcons(large, "push").stdout
    stranger = fresh_clone(large, server, tmp_path / "stranger")
    simcons(stranger, "pull")
    assert_same_results(stranger, large)


def test_a_push_outlives_a_restart_of_the_server(large, server, tmp_path):
    push = start(large, "push", "--time-limit", "5", "--retries", "20")
    wait_for_objects(server, tmp_path.name, 150)
    server.kill()
    server.start()
    out, errors = push.communicate(timeout=4 * PATIENCE)
    assert push.returncode == 0, errors
    assert "all 1,417 are there" in out


def test_a_pull_that_is_killed_leaves_nothing_false_and_the_next_one_completes(
    large, server, tmp_path
):
    simcons(large, "push")
    stranger = fresh_clone(large, server, tmp_path / "stranger")
    pull = start(stranger, "pull")
    cache = stranger.root / ".dvc" / "cache" / "files" / "md5"
    while len(list(cache.glob("??/*"))) < 150:
        assert pull.poll() is None, "the pull was too fast"
        time.sleep(0.02)
    pull.kill()
    pull.communicate()
    assert_nothing_false(stranger, large)
    simcons(stranger, "pull")
    assert_same_results(stranger, large)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"secret_access_key": "wrong"}, "the secret key is wrong; `dvc remote modify --local s3"),
        ({"access_key_id": "nobody"}, "the access key is not known there"),
        ({"url": "s3://no-such-bucket/x"}, "there is no such bucket"),
    ],
)
def test_what_is_configured_wrongly_is_named_at_once(study, stranger, server, values, message):
    simcons(study, "push")
    for clone, command in ((study, "push"), (stranger, "pull")):
        add_remote(clone, server, study.root.parent.name, **values)
        began = time.monotonic()
        done = simcons(clone, command, check=False)
        assert time.monotonic() - began < PATIENCE / 4
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert server.secret not in done.stdout + done.stderr
        assert_nothing_false(clone, study)
        add_remote(clone, server, study.root.parent.name)
        simcons(clone, command)
    assert_same_results(stranger, study)


def test_without_any_key_the_message_says_how_to_set_one(study, server):
    text = (study.root / ".dvc/config.local").read_text()
    kept = [line for line in text.splitlines() if "access_key" not in line]
    (study.root / ".dvc/config.local").write_text("\n".join(kept) + "\n")
    done = simcons(study, "push", check=False)
    assert done.returncode == 2
    assert "`dvc remote modify --local s3 access_key_id KEY`" in done.stderr


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_dead_endpoint_is_named_and_does_not_hang(study, server, command):
    (port,) = free_ports(1)
    add_remote(study, server, "x", endpointurl=f"http://127.0.0.1:{port}")
    if command == "pull":
        study.run("rm", "-r", ".dvc/cache")
    began = time.monotonic()
    done = simcons(study, command, "--retries", "1", check=False)
    assert time.monotonic() - began < PATIENCE
    assert done.returncode == 1
    assert done.stderr.count("no connection") == 2  # a warning, then the error
    assert done.stderr.splitlines()[-1].startswith("error: remote 's3' (s3://results/x)")


def test_a_server_that_accepts_and_never_answers_is_given_up(study, server):
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        add_remote(study, server, "x", endpointurl=endpoint)
        done = simcons(study, "push", "--time-limit", "3", "--retries", "0", check=False)
    assert done.returncode == 1
    assert "nothing has moved for 3 s" in done.stderr


def test_an_object_deleted_from_the_bucket_is_named_and_pushed_again(study, stranger, server):
    simcons(study, "push")
    with closing(server.client()) as client:
        client.delete_object(Bucket=BUCKET, Key=key_of(study, FILE))
    done = simcons(stranger, "pull", check=False)
    assert done.returncode == 1
    assert f"similarity@digits: {FILE} is not in s3://{BUCKET}/" in done.stderr
    assert "6 outputs came whole" in done.stderr
    assert_nothing_false(stranger, study)
    assert not (stranger.root / "data/similarity/digits").exists()
    assert (stranger.root / "data/similarity/letters").is_dir()
    # `dvc push` takes the list of a folder's files for the files.
    assert "up to date" in study.dvc("push").stdout
    assert "pushed 1 objects" in simcons(study, "push").stdout
    simcons(stranger, "pull")
    assert_same_results(stranger, study)


def test_a_truncated_object_is_named_and_replaced(study, stranger, server):
    simcons(study, "push")
    key = key_of(study, FILE)
    with closing(server.client()) as client:
        client.put_object(Bucket=BUCKET, Key=key, Body=b"short")
    done = simcons(stranger, "pull", "similarity", check=False)
    assert done.returncode == 1
    assert f"similarity@digits: {FILE} is damaged in s3://{BUCKET}/" in done.stderr
    assert_nothing_false(stranger, study)
    assert "1 of them in place of damaged ones" in simcons(study, "push").stdout
    assert keys(server, study.root.parent.name)[key] == 3_000
    simcons(stranger, "pull")
    assert_same_results(stranger, study)


def test_a_deleted_list_of_files_is_named_and_pushed_again(study, stranger, server):
    simcons(study, "push")
    lists = [key for key in keys(server, study.root.parent.name) if key.endswith(".dir")]
    with closing(server.client()) as client:
        for key in lists:
            client.delete_object(Bucket=BUCKET, Key=key)
    done = simcons(stranger, "pull", "similarity", check=False)
    assert done.returncode == 1
    assert "data/similarity/letters (the list of its files) is not in s3://" in done.stderr
    assert_nothing_false(stranger, study)
    assert "pushed 5 objects" in simcons(study, "push").stdout
    simcons(stranger, "pull")
    assert_same_results(stranger, study)


def test_what_a_plain_pull_took_truncated_is_found_later(study, stranger, server):
    simcons(study, "push")
    with closing(server.client()) as client:
        client.put_object(Bucket=BUCKET, Key=key_of(study, FILE), Body=b"short")
    stranger.dvc("pull", "similarity", check=False)
    assert (stranger.root / FILE).read_bytes() == b"short"  # DVC does not notice
    done = simcons(stranger, "pull", "similarity", check=False)
    assert done.returncode == 1
    assert f"{FILE} is damaged in s3://" in done.stderr
    simcons(study, "push")
    simcons(stranger, "pull")
    assert_same_results(stranger, study)


def test_a_file_that_is_nowhere_is_named_and_keeps_its_list_back(study, server):
    key = key_of(study, FILE)
    oid = "".join(key.split("/")[-2:])
    (study.root / ".dvc/cache/files/md5" / oid[:2] / oid[2:]).unlink()
    done = simcons(study, "push", "similarity", check=False)
    assert done.returncode == 1
    assert f"similarity@digits: {FILE} is neither in this clone's cache nor" in done.stderr
    there = keys(server, study.root.parent.name)
    # Without the list no other clone takes the folder for complete.
    assert len([k for k in there if k.endswith(".dir")]) == 1
    assert len(there) == 3 + 4 + 1
    study.run("rm", "-r", "data/similarity/digits")
    study.dvc("repro")
    assert "all 10 are there" in simcons(study, "push", "similarity").stdout


def test_a_key_that_git_would_carry_is_refused(study, server):
    for name in ("access_key_id", "secret_access_key"):
        study.dvc("remote", "add", "-f", "other", "s3://results/y")
        study.dvc("remote", "modify", "other", name, "visible")
        done = simcons(study, "push", "-r", "other", check=False)
        assert done.returncode == 2
        assert f"{name} is in .dvc/config, which git tracks" in done.stderr
        assert "visible" not in done.stderr
