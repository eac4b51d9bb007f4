"""One job of the process executor: `python -m evalsvc.executors.process_job FOLDER`, a process of its own.

It outlives the service that started it, holds a lock on the job's folder while it lives, and leaves `end.json`.
The key comes by standard input, so that it is in no file and in no environment but the stage step's.
"""

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Any, Final

from evalsvc.pod.stage import KEY_VARIABLE

LOG_LIMIT: Final = 1 << 20
"""Bytes kept of the end of what a submission prints."""


@dataclass(frozen=True)
class Step:
    """How one program ended: exit code (negative: a signal), seconds since the epoch, whether we killed it."""

    exit_code: int
    started: float
    finished: float
    timed_out: bool = False
    account: str = ""


def lock(folder: Path) -> int | None:
    """The descriptor of the job's lock, or None while a process holds it.  The kernel frees it when that dies."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def write_json(path: Path, value: dict[str, Any]) -> None:
    """All or nothing."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value))
    draft.replace(path)


def start_tick(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot: tells it from a later one of the same number."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError):
        return None


def run_stage(folder: Path, job: dict[str, Any], key: str) -> Step:
    """Stage the images into `folder/input`.  Nothing is proved about the network: there is no isolation here."""
    command = [sys.executable, "-I", "-m", "evalsvc.pod", "stage", f"--source={job['source']}"]
    command += [f"--target={folder / 'input'}", *(f"--split={split}" for split in job["splits"])]
    started = time.time()
    done = subprocess.run(command, env={KEY_VARIABLE: key}, capture_output=True, check=False)
    account = (done.stdout + done.stderr).decode(errors="replace").strip()[-500:]
    return Step(done.returncode, started, time.time(), account=account)


def run_submission(folder: Path, job: dict[str, Any]) -> Step:
    """Run `predict.py` in a process group of its own until it ends or its time is over; end the whole group."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder / "tmp"),
        "TMPDIR": str(folder / "tmp"),
        "EVALSVC_INPUT": str(folder / "input"),
        "EVALSVC_OUTPUT": str(folder / "output"),
    }
    started = time.time()
    process = subprocess.Popen(
        [sys.executable, "-B", "predict.py"],
        cwd=job["program"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    write_json(
        folder / "submission.json", {"pid": process.pid, "tick": start_tick(process.pid), "started": started}
    )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    reader = Thread(target=_keep_tail, args=(process.stdout, folder / "log"), daemon=True)
    reader.start()
    timed_out = False
    try:
        process.wait(timeout=job["wall_time"])
    except subprocess.TimeoutExpired:
        timed_out = True
    kill_group(process.pid)
    code = process.wait()
    reader.join(timeout=5)
    return Step(code, started, time.time(), timed_out)


def kill_group(leader: int) -> None:
    """End a process group; one that is gone is fine."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _keep_tail(stream: IO[bytes], path: Path) -> None:
    """Drain `stream` for ever, keeping its last `LOG_LIMIT` bytes."""
    kept: deque[bytes] = deque()
    size = 0
    while part := os.read(stream.fileno(), 1 << 16):
        kept.append(part)
        size += len(part)
        while size - len(kept[0]) >= LOG_LIMIT:
            size -= len(kept.popleft())
    path.write_bytes(b"".join(kept)[-LOG_LIMIT:])


def main(folder: Path) -> None:
    """Take the lock, run both steps, leave the evidence."""
    if lock(folder) is None or (folder / "end.json").exists():
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    key = sys.stdin.readline().strip()
    write_json(folder / "supervisor.json", {"pid": os.getpid(), "tick": start_tick(os.getpid())})
    job = json.loads((folder / "job.json").read_text())
    stage = run_stage(folder, job, key)
    end = {"stage": asdict(stage), "submission": None}
    if stage.exit_code == 0:
        end["submission"] = asdict(run_submission(folder, job))
    write_json(folder / "end.json", end)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
