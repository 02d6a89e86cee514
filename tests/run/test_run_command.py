"""`simcons run` on a small pipeline of trivial stages, through real DVC."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess

import psutil
from small_pipeline import NEEDS, Pipeline, wait_for


def test_side_by_side_in_order_and_the_same_lock_as_the_serial_run(pipeline, unused, tmp_path):
    serial = Pipeline(tmp_path / "serial", like=unused)
    (serial.root / "slow").write_text("0")
    assert serial.run("dvc", "repro")[0] == 0
    code, out, err = pipeline.run("simcons", "run", "--jobs", "3")
    assert code == 0, err
    assert pipeline.lock() == serial.lock()  # to the byte: order as well
    trace = pipeline.trace()
    for name, needs in NEEDS.items():
        for need in needs:
            assert trace.index(f"end {need}") < trace.index(f"start {name}")
    assert trace.index("start right") < trace.index("end left")
    assert trace.index("start left") < trace.index("end right")
    assert out.count("didn't change, skipping") == 5  # the audit
    assert "5 done" in err
    assert "top: running" in err
    assert re.search(r"top: done \(\d+ s\)", err)

    before = pipeline.trace()
    code, _, err = pipeline.run("simcons", "run")
    assert (code, pipeline.trace()) == (0, before)
    assert "running" not in err

    (pipeline.root / "right.txt").unlink()  # comes back from DVC's cache
    code, _, err = pipeline.run("simcons", "run")
    assert (code, pipeline.trace()) == (0, before)
    assert pipeline.lock() == serial.lock()


def test_status_shows_the_run_of_another_process_and_a_second_run_is_refused(pipeline):
    pipeline.flag("hang_left")
    process = pipeline.start("simcons", "run", "--jobs", "2")
    state = pipeline.root / ".simcons/run/state.json"
    wait_for(lambda: state.is_file() and "half of left" in state.read_text())
    code, shown, _ = pipeline.run("simcons", "status")
    assert (code, "simcons run is going on" in shown) == (0, True)
    assert re.search(r"left +running +half of left", shown)
    assert re.search(r"top +waiting", shown)
    code, _, err = pipeline.run("simcons", "run")
    assert (code, "another `simcons run` is going on" in err) == (2, True)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def test_a_stage_whose_files_another_dvc_command_holds_is_tried_again(pipeline):
    pipeline.flag("hang_alone")
    other = pipeline.start("dvc", "repro", "alone")
    wait_for(lambda: "start alone" in pipeline.trace())
    run = pipeline.start("simcons", "run", "alone")
    log = pipeline.root / ".simcons/run/alone.log"
    wait_for(lambda: log.is_file() and "blocked by" in log.read_text())
    (pipeline.root / "hang_alone").unlink()
    # The other one is asked to stop: its stage fails, this one's does not.
    for stage in psutil.Process(other.pid).children(recursive=True):
        stage.terminate()
    other.communicate(timeout=30)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, out + err
    assert "in use by another DVC command" in err
    assert pipeline.made() == {"alone"}


def test_a_live_table_on_a_terminal(pipeline):
    (pipeline.root / "slow").write_text("0.5")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, 0x5414, b"\x18\x00\x64\x00\x00\x00\x00\x00")  # TIOCSWINSZ: 24 x 100
    process = subprocess.Popen(
        ["simcons", "run", "left"],
        cwd=pipeline.root,
        env={**pipeline.environment, "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=slave,
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not part:
            break
        seen += part
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert re.search(r"stage +state +progress", text)
    assert re.search(r"base +running", text)
    assert re.search(r"left +waiting", text)
    assert "2 done" in text
