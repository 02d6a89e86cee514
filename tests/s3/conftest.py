"""A real S3 server for the session, and a repository that pushes to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from remote_study import BUCKET, Clone, add_remote, copied, fresh_clone, made

from s3_server import HOW_TO_GET_IT, S3Server, find_weed, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """SeaweedFS on free ports; tests may kill and start it, and leave it running."""
    if find_weed() is None:
        if os.environ.get("SIMCONS_REQUIRE_SERVICES") == "1":
            pytest.fail(HOW_TO_GET_IT)
        pytest.skip(HOW_TO_GET_IT)
    server = S3Server(tmp_path_factory.mktemp("s3"), public=BUCKET)
    with serving(server):
        server.create_bucket(BUCKET)
        yield server
        server.kill()  # its data are thrown away; asking it takes 15 s


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The repository with all stages run; tests copy it and leave it as it is."""
    return made(tmp_path_factory.mktemp("repo") / "study")


@pytest.fixture(autouse=True)
def no_credentials_of_the_developer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what the developer has configured for Amazon's S3."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no_aws_config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def study(finished: Clone, server: S3Server, tmp_path: Path) -> Clone:
    """A copy of the finished repository, with a remote of its own in the bucket."""
    clone = copied(finished, tmp_path)
    add_remote(clone, server, tmp_path.name)
    return clone


@pytest.fixture
def study_without_server(finished: Clone, tmp_path: Path) -> Clone:
    """A copy of the finished repository, without a remote."""
    return copied(finished, tmp_path)


@pytest.fixture
def stranger(study: Clone, server: S3Server, tmp_path: Path) -> Clone:
    """A fresh clone of `study`, with the same remote and an empty cache."""
    return fresh_clone(study, server, tmp_path / "stranger")
