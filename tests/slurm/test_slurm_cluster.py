"""Stages on a real SLURM: arrays, exit codes and reasons, faults, dead submitters, other users.

Whatever goes wrong, dvc.lock records no wrong result, and the next run finishes to the hashes of an
undisturbed one.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from toy import EXEC, MODELS, Toy, end, says, wait_for

from simcons.slurm.watch import GRACE_SECONDS

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(180)]
ALL = sorted(f"digits/{m}" for m in MODELS)
REPRO = ("dvc", "repro", "features@digits")


def job_id(text: str) -> str:
    """The first job id that a submitter named."""
    found = re.search(r"as job (\d+)", text)
    assert found, text
    return found[1]


def record(toy: Toy) -> dict:
    files = list((toy.root / ".simcons/slurm").glob("*/record.json"))
    return json.loads(files[0].read_text()) if files else {}


def submitted(toy: Toy) -> str:
    """Wait for a submission and return the job's id."""
    wait_for(lambda: record(toy).get("job_id"))
    return record(toy)["job_id"]


def finishes_as_undisturbed(toy: Toy, undisturbed: dict[str, str]) -> None:
    """After a fault: nothing wrong is recorded; the next run computes only what is missing."""
    assert all(undisturbed[path] == md5 for path, md5 in toy.lock().items())
    toy.fault(hang=None, exit=None, greedy=None, hold=None, slow=None, hanging=None)
    before = toy.computed()
    toy.run(*REPRO)
    assert toy.lock()["data/features/digits"] == undisturbed["data/features/digits"]
    assert sorted(toy.computed()) == ALL  # each once
    assert toy.computed()[: len(before)] == before


def test_the_whole_study_through_the_cluster_gives_the_same_lock(toy, undisturbed):
    done = toy.run("simcons", "run", "--jobs", "4")
    assert toy.lock() == undisturbed
    assert done.stdout.count("didn't change, skipping") == 4  # the audit
    assert sorted(toy.computed()) == sorted(ALL + [f"letters/{m}" for m in MODELS])


def test_an_array_of_groups_with_a_throttle(toy, cluster):
    toy.settings(groups=8, throttle=2)
    toy.fault(slow="0.4")
    done = toy.features()
    assert sorted(toy.computed()) == ALL
    rows = [line.split() for line in (toy.root / "done.log").read_text().splitlines()]
    spans = [(float(start), float(stop)) for _, start, stop in rows]
    at_once = [sum(a <= start < b for a, b in spans) for start, _ in spans]
    assert max(at_once) == 2
    assert "array of 8 model parts" in done.stdout
    assert "[3/8] computing m2" in done.stdout  # each task's log
    assert "8/8 tasks done" in done.stdout
    assert len(list((toy.root / "data/features/digits").iterdir())) == 8


def test_the_first_failing_code_is_the_exit_code_and_everything_is_named(toy, cluster, undisturbed):
    toy.fault(exit="m2")
    done = toy.features(check=False)
    assert done.returncode == 5
    job = job_id(done.stdout)
    message = done.stdout[done.stdout.index("error:") :]
    assert "1 of 4 tasks failed" in message
    assert f"model part 3/4, task {job}_3 on node {cluster.host}: exit code 5" in message
    log = re.search(r"exit code 5; (.*/3\.log)$", message, re.MULTILINE)
    assert log
    assert "error: no m2" in Path(log[1]).read_text()
    assert "| error: no m2" in message  # the end of the log
    assert sorted(toy.computed()) == [d for d in ALL if d not in ("digits/m2", "digits/m6")]
    failed = toy.run(*REPRO, check=False)
    assert failed.returncode != 0
    finishes_as_undisturbed(toy, undisturbed)


def test_bad_input_is_not_tried_again_and_other_failures_are(toy):
    toy.settings(retries=2)
    toy.fault(exit="m2")
    done = toy.features(check=False)
    assert done.returncode == 5
    assert done.stdout.count("submitted array") == 3
    assert "retry 2 of 2 of 1 tasks" in done.stdout
    script = toy.root / "stages/features.py"
    script.write_text(script.read_text().replace("sys.exit(5)", "sys.exit(2)"))
    done = toy.features(check=False)
    assert done.returncode == 2
    assert done.stdout.count("submitted array") == 1


def test_a_lone_job_passes_its_code_on(toy):
    done = toy.run("simcons", "exec", "cpu", "--", "sh", "-c", "echo said; exit 9", check=False)
    assert done.returncode == 9
    assert "| said" in done.stdout
    assert "the job failed" in done.stdout
    refused = toy.run("simcons", "exec", "gpu", "--", "no-such-program", check=False)
    assert refused.returncode == 2
    assert "no program 'no-such-program'" in refused.stdout


def test_a_refused_job_says_why(toy):
    toy.settings(partition="nowhere")
    done = toy.features(check=False)
    assert done.returncode == 2
    assert "sbatch refused the job" in done.stdout
    assert "partition" in done.stdout


@pytest.mark.parametrize("whole", [False, True], ids=["command", "script too"])
def test_a_task_killed_with_sigkill(toy, undisturbed, whole):
    toy.fault(hang="m1")
    process = toy.start(*REPRO)
    pid = toy.hanging()
    parent = psutil.Process(pid).ppid()
    if whole:  # the script cannot record an exit code then
        os.kill(parent, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    code, said = end(process)
    assert code != 0
    assert "model part 2/4" in said
    assert "killed" in said
    assert "exited with 137" in said
    assert "data/features/digits" not in toy.lock()
    finishes_as_undisturbed(toy, undisturbed)


def test_a_killed_task_is_retried_and_the_others_are_not(toy):
    toy.settings(retries=1)
    toy.fault(hang="m1")
    process = toy.start(*REPRO)
    pid = toy.hanging()
    toy.fault(hang=None)
    os.kill(pid, signal.SIGKILL)
    code, said = end(process)
    assert code == 0, said
    assert "retry 1 of 1 of 1 tasks" in said
    assert sorted(toy.computed()) == ALL


@pytest.mark.parametrize("requeue", [False, True])
def test_a_node_that_goes_down(toy, cluster, undisturbed, requeue):
    toy.settings(requeue=requeue)
    toy.fault(hang="m1")
    process = toy.start(*REPRO)
    toy.hanging()
    wait_for(lambda: len(toy.computed()) == 6)  # the other tasks have done their share
    toy.fault(hang=None)
    cluster.node("down")
    if requeue:
        time.sleep(1)
        cluster.node("resume")
        code, said = end(process, 90)
        assert code == 0, said
    else:
        code, said = end(process)
        cluster.node("resume")
        assert code != 0
        assert re.search(rf"model part 2/4, task \d+_2 on node {cluster.host}: node failure", said)
        assert "data/features/digits" not in toy.lock()
    finishes_as_undisturbed(toy, undisturbed)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_cancel_the_array(toy, cluster, undisturbed, signum):
    toy.fault(slow="60")
    process = toy.start(*EXEC)
    wait_for(lambda: any("RUNNING" in row for row in cluster.queue()))
    process.send_signal(signum)
    code, said = end(process, 20)
    assert code == 128 + signum
    assert f"stopped by {signum.name}" in said
    assert "cancelled job" in said
    wait_for(lambda: cluster.queue() == [])
    assert not (toy.root / "data").exists()
    finishes_as_undisturbed(toy, undisturbed)


def test_ctrl_c_on_simcons_run_cancels_every_array(toy, cluster):
    toy.fault(slow="60")
    process = toy.start("simcons", "run", "--jobs", "2")
    wait_for(lambda: sum("RUNNING" in row for row in cluster.queue()) >= 5)
    process.send_signal(signal.SIGINT)
    code, _ = end(process, 40)
    assert code == 130
    wait_for(lambda: cluster.queue() == [])
    assert toy.lock() == {}


def test_somebody_cancels_a_task(toy, cluster):
    toy.settings(retries=3)
    toy.fault(hang="m1")
    process = toy.start(*EXEC)
    toy.hanging()
    cluster.call("scancel", f"{submitted(toy)}_2")
    code, said = end(process)
    assert code in (137, 143)
    assert "model part 2/4" in said
    assert "cancelled" in said
    assert "retry" not in said


def kill_submitter(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def released(toy: Toy, job: str, process: subprocess.Popen[str]) -> str:
    """Let a held array go on once a process waits for it; return what that said."""
    said = says(process, f"job {job} is still running; waiting for it")
    toy.fault(hold=None)
    code, rest = end(process)
    assert code == 0, said + rest
    return said + rest


def test_a_dead_submitter_comes_back_to_its_array(toy, cluster, undisturbed):
    toy.fault(hold="all")
    process = toy.start(*REPRO)
    job = submitted(toy)
    kill_submitter(process)
    assert len(cluster.queue()) > 0
    said = released(toy, job, toy.start(*REPRO))
    assert said.count("submitted array") == 0
    finishes_as_undisturbed(toy, undisturbed)


def test_one_that_died_before_it_knew_the_job_finds_it_by_name(toy):
    toy.fault(hold="all")
    process = toy.start(*EXEC)
    job = submitted(toy)
    kill_submitter(process)
    path = next((toy.root / ".simcons/slurm").glob("*/record.json"))
    path.write_text(json.dumps({**record(toy), "job_id": ""}))
    released(toy, job, toy.start(*EXEC))
    assert sorted(toy.computed()) == ALL


def test_an_array_of_other_code_is_cancelled_not_awaited(toy, cluster):
    toy.fault(slow="60")
    process = toy.start(*EXEC)
    job = submitted(toy)
    wait_for(lambda: toy.logs().count("computing") == 4)
    kill_submitter(process)
    toy.fault(slow=None)
    script = toy.root / "stages/features.py"
    script.write_text(script.read_text() + "# changed\n")
    done = toy.features()
    assert f"cancelling job {job}: params, code or slurm.yaml differ" in done.stdout
    assert all(not row.startswith(job) for row in cluster.queue())
    assert sorted(toy.computed()) == ALL


def test_a_lone_job_left_by_a_dead_submitter_spoils_no_output(toy, undisturbed):
    """It goes on writing into what DVC has cleared for the next run: its files must not survive."""
    toy.run(*REPRO)
    (toy.root / "measures.txt").write_text("old1 old2 old3")
    toy.fault(slow_similarity="30")
    process = toy.start("dvc", "repro", "similarity@digits")
    wait_for(lambda: (toy.root / "data/similarity/digits/old1.txt").is_file())
    kill_submitter(process)
    (toy.root / "measures.txt").write_text("cka rsa")
    toy.fault(slow_similarity=None)
    done = toy.run("dvc", "repro", "similarity@digits")
    assert "left by a submitter that died" in done.stdout
    files = sorted(p.name for p in (toy.root / "data/similarity/digits").iterdir())
    assert files == ["cka.txt", "rsa.txt"]
    assert toy.lock()["data/similarity/digits"] == undisturbed["data/similarity/digits"]


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])  # in which DVC runs a command
def test_dvc_killed_alone_leaves_the_array_to_the_next_run(toy, shell):
    toy.fault(hold="all")
    process = toy.start(*REPRO, SHELL=shell)
    job = submitted(toy)
    os.kill(process.pid, signal.SIGKILL)
    _, said = end(process)
    assert f"job {job} goes on" in said
    released(toy, job, toy.start(*REPRO))
    assert sorted(toy.computed()) == ALL


def test_a_controller_that_does_not_answer_is_waited_for(toy, cluster):
    toy.settings(timeout=1)
    controller = cluster.daemons[1]
    controller.send_signal(signal.SIGSTOP)
    try:
        process = toy.start(*EXEC)
        said = says(process, "did not answer in 1 s")
        assert process.poll() is None
    finally:
        controller.send_signal(signal.SIGCONT)
    code, rest = end(process)
    assert code == 0, said + rest
    assert sorted(toy.computed()) == ALL  # submitted once: each computed once


def fill(path: Path) -> None:
    """Write a file until the disk is full."""
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(b"0" * 4096)
    except OSError as error:
        assert error.errno == errno.ENOSPC  # noqa: PT017 (it must be raised)


def test_a_full_disk(cluster, open_folder, undisturbed):
    disk = open_folder / "small disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)])
    assert mounted.returncode == 0, "a small tmpfs cannot be mounted: root's rights are needed"
    try:
        toy = Toy(disk / "study", cluster.environment["SLURM_CONF"]).make()
        toy.fault(hold="all")
        process = toy.start(*REPRO)
        wait_for(lambda: toy.logs().count("computing") == 4)
        filler = disk / "filler"
        fill(filler)
        toy.fault(hold=None)
        code, _ = end(process)
        assert code != 0
        assert "data/features/digits" not in toy.lock()
        filler.unlink()
        finishes_as_undisturbed(toy, undisturbed)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_another_user_than_root(toy, cluster):
    """The submitter and the job as `nobody`; only reading this test's Python takes a right more."""
    (toy.root / "job.sh").write_text('echo "group ${SIMCONS_MODEL_GROUP:-all}" >> "by $(id -un)"\n')
    toy.settings(container=["sh", "job.sh"], assemble="gpu")
    settings = (
        (toy.root / "slurm.yaml")
        .read_text()
        .replace("light: {}", "light: {container: [sh, job.sh]}")
    )
    (toy.root / "slurm.yaml").write_text(settings)
    for path in [toy.root, *toy.root.rglob("*")]:
        shutil.chown(path, "nobody", "nogroup")
    done = toy.run(
        "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
        str(Path(sys.executable).with_name("simcons")), *EXEC[1:],
    )  # fmt: skip
    assert "4/4 tasks done" in done.stdout
    groups = (toy.root / "by nobody").read_text().splitlines()
    assert sorted(groups[:-1]) == [f"group {k}/4" for k in range(1, 5)]
    assert groups[-1] == "group all"
    assert {p.owner() for p in (toy.root / ".simcons").rglob("*")} == {"nobody"}


def test_two_processes_run_the_same_stage_in_one_clone(toy):
    toy.fault(hold="all")
    first = toy.start(*EXEC)
    submitted(toy)
    second = toy.start(*EXEC)
    says(second, "another process runs the same command here")
    toy.fault(hold=None)
    assert [end(p)[0] for p in (first, second)] == [0, 0]
    assert sorted(toy.computed()) == ALL


def test_two_users_run_the_same_stage_with_a_shared_store(make_toy, open_folder, undisturbed):
    toys = [make_toy("first"), make_toy("second")]
    for toy in toys:
        toy.env["SIMCONS_STORE"] = str(toys[0].root.parent / "store")
        toy.fault(slow="0.3")
    processes = [toy.start(*REPRO) for toy in toys]
    assert [end(p)[0] for p in processes] == [0, 0]
    for toy in toys:
        assert toy.lock()["data/features/digits"] == undisturbed["data/features/digits"]


def test_two_dvc_processes_run_the_same_stage_in_one_clone(toy, undisturbed):
    toy.fault(slow="0.5")
    processes = [toy.start(*REPRO) for _ in range(2)]
    codes = sorted(end(p)[0] for p in processes)
    assert codes[0] == 0  # DVC refuses the other one, or lets it wait
    finishes_as_undisturbed(toy, undisturbed)


def test_out_of_memory(strict_cluster, open_folder, undisturbed):
    toy = Toy(open_folder / "greedy", strict_cluster.environment["SLURM_CONF"]).make()
    toy.settings(memory=100)
    toy.fault(greedy="m1")
    code, said = end(toy.start(*REPRO))
    assert code != 0
    host = strict_cluster.host
    assert re.search(rf"model part 2/4, task \d+_2 on node {host}: out of memory", said)
    assert "exited with 137" in said
    assert "data/features/digits" not in toy.lock()
    finishes_as_undisturbed(toy, undisturbed)


def test_it_ends_soon_after_its_last_task(toy):
    toy.features()
    ended = max(float(line.split()[2]) for line in (toy.root / "done.log").read_text().splitlines())
    # The array's last task, then the job that assembles: both are noticed within seconds.
    assert time.time() - ended < 3 + GRACE_SECONDS


def test_a_time_limit(overdue, cluster):
    """Last: its minute has passed while the others ran."""
    toy, process = overdue
    code, said = end(process, 150)
    assert code in (137, 143)
    assert "model part 2/4" in said
    assert ": time limit" in said
    assert not (toy.root / "data").exists()
    toy.fault(hang=None)
    toy.settings(memory=300)
    toy.features()
    assert sorted(toy.computed()) == ALL
