"""A real one-node SLURM in a scratch folder: munge, controller and node as children of the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
HOW_TO_GET = "apt-get install slurmctld slurmd munge slurm-client, and run the tests as root"
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/munge.socket,cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/{accounting}
{more}ReturnToService=2
SlurmdParameters=config_overrides
KillWait=2
MinJobAge=10
MaxArraySize=10001
DefMemPerCPU=100
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=4000 Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE DefaultTime=10 State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE DefaultTime=10 State=UP
"""
# Looks at each task's memory every second and kills what takes more than it asked for.
ENFORCE_MEMORY = """\
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
"""


def missing() -> str:
    """Return why no cluster can be started here; empty if one can."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no SLURM on this machine ({', '.join(absent)}): {HOW_TO_GET}"
    if os.getuid() != 0:
        return f"SLURM's daemons run jobs of several users, so they need root: {HOW_TO_GET}"
    return ""


def free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@dataclass
class Cluster:
    """A running one-node SLURM; `root` must be a folder that every user may read."""

    root: Path
    enforce_memory: bool = False
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)
    host: str = field(default_factory=lambda: socket.gethostname().split(".")[0])

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.root / "etc" / "slurm.conf")}

    def start(self) -> None:
        for name in ("etc", "state", "spool", "log", "munge"):
            (self.root / name).mkdir(mode=0o755, parents=True)
        config = CONFIG.format(
            host=self.host,
            root=self.root,
            ports=free_ports(2),
            accounting="linux" if self.enforce_memory else "none",
            more=ENFORCE_MEMORY if self.enforce_memory else "",
        )
        (self.root / "etc/slurm.conf").write_text(config)
        (self.root / "etc/gres.conf").write_text(
            "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"
        )
        key = self.root / "munge/munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        munge = self.root / "munge"
        self._spawn(
            "munged", "-F", f"--key-file={key}", f"--socket={munge}/munge.socket",
            f"--pid-file={munge}/munged.pid", f"--log-file={munge}/munged.log",
            f"--seed-file={munge}/munged.seed",
        )  # fmt: skip
        self._until(lambda: (munge / "munge.socket").exists(), "munge's socket")
        self._spawn("slurmctld", "-D")
        self._until(lambda: self._try("scontrol", "ping").returncode == 0, "the controller")
        self._spawn("slurmd", "-D")
        self._until(self.idle, "the node")

    def stop(self) -> None:
        if self._try("scancel", "-u", "root").returncode == 0:
            for _ in range(50):  # until no task writes into folders that are to be removed
                if not self._try("squeue", "-h").stdout:
                    break
                time.sleep(0.1)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _spawn(self, *command: str) -> None:
        with (self.root / "log" / f"{command[0]}.out").open("ab") as out:
            self.daemons.append(
                subprocess.Popen(
                    command,
                    env={**os.environ, **self.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            )

    def _until(self, ready, what: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline or any(d.poll() is not None for d in self.daemons):
                logs = sorted(self.root.glob("*/*.log")) + sorted(self.root.glob("log/*.out"))
                tails = "\n".join(f"{p}:\n{p.read_text()[-1500:]}" for p in logs)
                self.stop()
                raise RuntimeError(f"{what} did not come up\n{tails}")
            time.sleep(0.1)

    def _try(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def call(self, *command: str) -> str:
        """Run one of SLURM's commands as root; return what it prints."""
        done = self._try(*command)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr}")
        return done.stdout.strip()

    def idle(self) -> bool:
        return self._try("sinfo", "-h", "-N", "-o", "%T").stdout.split()[:1] == ["idle"]

    def queue(self) -> list[str]:
        """Ids and states of the tasks that are not over, as ``12_3 RUNNING``."""
        return self.call("squeue", "-h", "-r", "-o", "%i %T").splitlines()

    def node(self, state: str) -> None:
        """Set the node's state; a node that came back by itself needs no `resume`."""
        change = ("scontrol", "update", f"nodename={self.host}", f"state={state}", "reason=test")
        if state == "resume":
            self._try(*change[:-1])
        else:
            self.call(*change)

    def clear(self) -> None:
        """Cancel everything and wait until the node is idle again."""
        self.node("resume")
        for row in self.queue():
            self._try("scancel", row.split()[0].split("_")[0])
        self._until(lambda: not self.queue() and self.idle(), "an idle node", 60)
