"""Downloading shards from a hub: a real HTTP server on this machine, made to fail in every way."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hub_server import COMMIT, REPOSITORY, Hub, serving

from simcons.core.errors import UserError
from simcons.datasets import hub as client


@pytest.fixture
def hub(folder: Path, monkeypatch) -> Hub:
    with serving(folder) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        yield server


def download(out: Path, **options) -> str:
    return client.download_shards(REPOSITORY, ("train", "test"), out, **options)


def same_files(folder: Path, out: Path) -> bool:
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix != ".parquet"}
    names -= {"manifest.json"}
    found = {p.relative_to(out).as_posix() for p in out.rglob("*")} - {"commit.txt"}
    return names == found and all(
        (folder / n).read_bytes() == (out / n).read_bytes() for n in names if (folder / n).is_file()
    )


def test_every_shard_is_had_and_the_commit_is_told(hub, folder, tmp_path):
    assert download(tmp_path / "out") == COMMIT
    assert same_files(folder, tmp_path / "out")
    # Everything after the first question is asked of that commit: main may move in between.
    assert [len(hub.gets(f"train/{n}.tar")) for n in range(3)] == [1, 1, 1]


def test_nothing_is_fetched_twice(hub, folder, tmp_path):
    download(tmp_path / "out")
    before = len([1 for method, file, _ in hub.log if method == "GET" and file.endswith(".tar")])
    (tmp_path / "out" / "train" / "1.tar").unlink()
    download(tmp_path / "out")
    after = [file for method, file, _ in hub.log if method == "GET" and file.endswith(".tar")]
    assert after[before:] == ["train/1.tar"]
    assert same_files(folder, tmp_path / "out")


def test_a_dropped_connection_is_resumed_by_range(hub, folder, tmp_path):
    hub.drops["train/0.tar"] = 2
    download(tmp_path / "out")
    spans = hub.gets("train/0.tar")
    size = (folder / "train" / "0.tar").stat().st_size
    assert spans[0] is None
    assert spans[1:] == [f"bytes={size // 2}-", f"bytes={size // 2 + size // 4}-"]
    assert same_files(folder, tmp_path / "out")


def test_a_killed_download_goes_on_where_it_was(hub, folder, tmp_path, monkeypatch):
    hub.drops["test/0.tar"] = 1

    def kill(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", kill)
    with pytest.raises(KeyboardInterrupt):
        download(tmp_path / "out")
    assert not (tmp_path / "out" / "test" / "0.tar").exists()
    hub.log.clear()
    download(tmp_path / "out")
    size = (folder / "test" / "0.tar").stat().st_size
    assert hub.gets("test/0.tar") == [f"bytes={size // 2}-"]
    assert hub.gets("train/0.tar") == []
    assert same_files(folder, tmp_path / "out")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_that_recovers_is_asked_again(hub, folder, tmp_path, status):
    hub.statuses["train/2.tar"] = [status, status]
    download(tmp_path / "out")
    assert same_files(folder, tmp_path / "out")


def test_a_server_that_does_not_recover_is_named(hub, tmp_path):
    hub.statuses["train/2.tar"] = [500] * 1000
    with pytest.raises(UserError, match=r"train/2\.tar at c+: cannot be had \(.*500 Int.*kept"):
        download(tmp_path / "out")
    assert (tmp_path / "out" / "train" / "1.tar").is_file()
    assert not (tmp_path / "out" / "train" / "2.tar").exists()


def test_a_hub_that_cannot_be_reached_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(UserError, match=r"wds_tiny', classnames.txt at main: cannot be had"):
        download(tmp_path / "out")


@pytest.mark.parametrize(("given", "status"), [(None, 401), ("wrong", 403)])
@pytest.mark.parametrize("gated", [True, False])
def test_a_gated_set_says_what_to_do(hub, tmp_path, monkeypatch, given, status, gated):
    hub.token, hub.gated = "right", gated
    if given:
        monkeypatch.setenv("HF_TOKEN", given)
    with pytest.raises(UserError) as error:
        download(tmp_path / "out")
    message = str(error.value)
    assert f"access refused ({status})" in message
    assert f"https://huggingface.co/datasets/{REPOSITORY}" in message
    assert "HF_TOKEN" in message
    assert not (tmp_path / "out").exists()
    assert len(hub.log) == 1  # no retry: it would be refused again


def test_the_token_of_the_environment_is_used(hub, folder, tmp_path, monkeypatch):
    hub.token = "right"
    monkeypatch.setenv("HF_TOKEN", "right")
    download(tmp_path / "out")
    assert hub.tokens == {"Bearer right"}
    assert same_files(folder, tmp_path / "out")


def test_a_set_that_does_not_exist(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "right")
    with pytest.raises(UserError, match=r"wds_none', .*no such data set on the hub \(404\)"):
        client.download_shards("clip-benchmark/wds_none", ("test",), tmp_path / "out")


def test_a_set_of_another_layout(hub, folder, tmp_path):
    (folder / "test" / "nshards.txt").unlink()
    with pytest.raises(UserError, match=r"test/nshards\.txt .*no such file.*CLIP-benchmark layout"):
        download(tmp_path / "out")
    with pytest.raises(UserError, match=r"at v9: no such revision"):
        download(tmp_path / "out", revision="v9")


@pytest.mark.parametrize("kind", ["retrieval", "multilabel"])
def test_a_set_without_classes_is_refused(hub, folder, tmp_path, kind):
    (folder / "dataset_type.txt").write_text(f"{kind}\n")
    with pytest.raises(UserError, match=rf"is refused: its dataset_type.txt says '{kind}'"):
        download(tmp_path / "out")
    assert hub.gets("train/0.tar") == []


def test_a_shard_with_another_hash_is_not_kept(hub, tmp_path):
    hub.lies.add("train/1.tar")
    with pytest.raises(UserError, match=r"train/1\.tar at c+: .* has SHA-256 \w{64}, expected"):
        download(tmp_path / "out")
    assert not (tmp_path / "out" / "train" / "1.tar").exists()


def test_a_known_hash_is_checked(hub, folder, tmp_path):
    right = hashlib.sha256((folder / "train" / "0.tar").read_bytes()).hexdigest()
    download(tmp_path / "out", sha256={"train/0.tar": right})
    with pytest.raises(UserError, match=r"train/0\.tar at c+: .* has SHA-256"):
        download(tmp_path / "other", sha256={"train/0.tar": "0" * 64})


def test_shards_of_another_commit_are_replaced(hub, folder, tmp_path):
    download(tmp_path / "out")
    hub.commit = "d" * 40
    (folder / "train" / "0.tar").write_bytes((folder / "train" / "1.tar").read_bytes())
    hub.log.clear()
    assert download(tmp_path / "out") == "d" * 40
    assert same_files(folder, tmp_path / "out")
    assert hub.gets("train/1.tar") == []  # the same bytes are not fetched again


def test_a_partial_file_that_cannot_be_one_is_thrown_away(hub, folder, tmp_path):
    for junk in (b"x" * 100, b"x" * 10**6):
        part = tmp_path / "out" / ".download" / f"{COMMIT}-train-0.tar.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(junk)
        download(tmp_path / "out")
        assert same_files(folder, tmp_path / "out")
        (tmp_path / "out" / "train" / "0.tar").unlink()
