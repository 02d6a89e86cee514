"""`simcons push` and `simcons pull` against a real S3 server, when nothing goes wrong."""

from __future__ import annotations

import pytest
from remote_study import (
    add_remote,
    assert_same_results,
    fresh_clone,
    key_of,
    keys,
    made,
    simcons,
)

pytestmark = pytest.mark.s3


def test_what_is_pushed_is_pulled_by_a_stranger(study, stranger, server):
    pushed = simcons(study, "push").stdout
    assert "pushed 41 objects (0.51 MB); all 41 are there" in pushed
    assert "pushed 0 objects (0.00 MB); all 41 are there" in simcons(study, "push").stdout
    pulled = simcons(stranger, "pull").stdout
    assert "pulled 41 objects (0.51 MB); all 41 are here, and whole" in pulled
    assert_same_results(stranger, study)
    assert "pulled 0 objects" in simcons(stranger, "pull").stdout


def test_only_what_is_asked_for_moves(study, stranger, server, tmp_path):
    simcons(study, "push", "similarity", "data/subsets")
    assert len(keys(server, tmp_path.name)) == 2 * (4 + 1) + 2
    simcons(stranger, "pull", "similarity")
    assert [p.name for p in (stranger.root / "data").iterdir()] == ["similarity"]
    simcons(stranger, "pull", "subset@digits")
    assert [p.name for p in (stranger.root / "data/subsets").iterdir()] == ["digits.json"]
    simcons(study, "push")
    simcons(stranger, "pull", "data/features/digits/part_0")
    there = stranger.file_hashes("data/features")
    assert sorted(there) == [f"digits/part_0/{i:05}.bin" for i in (0, 7)]
    assert there == {name: study.file_hashes("data/features")[name] for name in there}
    simcons(stranger, "pull")
    assert_same_results(stranger, study)


def test_what_dvc_pushed_is_pulled_and_the_other_way_round(study, stranger):
    study.dvc("push", "similarity")
    simcons(stranger, "pull", "similarity@digits")
    simcons(study, "push")
    stranger.dvc("pull")
    assert_same_results(stranger, study)


def test_a_folder_as_remote_works_too(study, tmp_path):
    study.dvc("remote", "add", "folder", str(tmp_path / "remote"))
    study.commit("remote")
    assert "all 41 are there" in simcons(study, "push", "-r", "folder").stdout
    clone = fresh_clone_without_server(study, tmp_path / "other")
    assert "all 41 are here" in simcons(clone, "pull", "--remote", "folder").stdout
    assert_same_results(clone, study)


def fresh_clone_without_server(study, root):
    study.run("git", "clone", "-q", str(study.root), str(root))
    return type(study)(root)


def test_a_public_bucket_is_read_without_a_key_and_not_written(study, stranger, server):
    simcons(study, "push")
    for name in ("access_key_id", "secret_access_key"):
        stranger.dvc("remote", "modify", "--local", "--unset", "s3", name)
    stranger.dvc("remote", "modify", "s3", "--local", "allow_anonymous_login", "true")
    simcons(stranger, "pull")
    assert_same_results(stranger, study)
    with_new = stranger.root / "data" / "similarity" / "digits" / "part_0" / "00000.bin"
    with_new.unlink()
    with_new.write_bytes(b"changed")
    stranger.dvc("commit", "-f", "similarity@digits")
    done = simcons(stranger, "push", check=False)
    assert done.returncode == 2
    assert "access denied" in done.stderr


def test_outputs_that_nobody_has_run_are_named(study):
    values = study.params
    values["datasets"]["mnist"] = {"files": 2, "bytes": 10}
    study.params = values
    assert "nobody has run them): 3 stages (features@mnist" in simcons(study, "push").stdout
    done = simcons(study, "pull", "similarity@mnist", check=False)
    assert done.returncode == 2
    assert "'similarity@mnist' is not in dvc.lock: nobody has run it yet" in done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["pull", "similarities"], "did you mean 'similarity'? Families: consistency, features"),
        (["push", "similarity@digit"], "did you mean 'similarity@digits'?"),
        (["pull", "data/features/digits/prt_0"], "no 'prt_0': did you mean 'part_0'?"),
        (["pull", "metrics/consistency.json"], "git holds its outputs"),
        (["push", "--remote", "s4"], "unknown remote 's4': Allowed: s3"),
        (["push", "--time-limit", "0"], "the time limit must be above 0"),
        (["pull", "--retries", "-1"], "the retries at least 0"),
    ],
)
def test_bad_input_is_one_message_with_exit_code_2(study, args, message):
    done = simcons(study, *args, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_remote_the_command_says_how_to_add_one(finished):
    done = simcons(finished, "push", check=False)
    assert done.returncode == 2
    assert "no DVC remote is configured; `dvc remote add --default" in done.stderr


def test_own_changes_are_replaced_only_by_force(study, stranger):
    simcons(study, "push", "similarity")
    simcons(stranger, "pull", "similarity")
    mine = stranger.root / "data/similarity/digits/mine.txt"
    mine.write_text("notes")
    done = simcons(stranger, "pull", "similarity", check=False)
    assert done.returncode == 2
    assert "data/similarity/digits/mine.txt" in done.stderr
    assert mine.read_text() == "notes"
    simcons(stranger, "pull", "similarity", "--force")
    assert not mine.exists()


def test_an_output_that_is_not_to_be_pushed_stays_here(study, server, tmp_path):
    text = (study.root / "dvc.yaml").read_text()
    old = 'outs: ["data/features/${key}"]'
    assert old in text
    (study.root / "dvc.yaml").write_text(
        text.replace(old, 'outs: [{"data/features/${key}": {push: false}}]')
    )
    assert "all 15 are there" in simcons(study, "push").stdout
    assert key_of(study, "data/features/digits/part_0/00000.bin") not in keys(server, tmp_path.name)
    simcons(study, "pull")  # does not ask for what is never pushed
    for command in ("push", "pull"):
        done = simcons(study, command, "features", check=False)
        assert done.returncode == 2
        assert "`push: false`" in done.stderr


@pytest.mark.slow
def test_ten_thousand_small_files_arrive_intact(server, tmp_path):
    study = made(tmp_path / "study", n_files=5_000, n_bytes=500)
    add_remote(study, server, tmp_path.name)
    assert "all 10,017 are there" in simcons(study, "push").stdout
    assert len(keys(server, tmp_path.name)) == 10_017
    stranger = fresh_clone(study, server, tmp_path / "stranger")
    assert "all 10,017 are here" in simcons(stranger, "pull").stdout
    assert_same_results(stranger, study)
