"""Runs a submission as an ordinary process of this machine: for trying things out where there is no Docker.

There is no isolation: the program can read what its user can, the network included, and only wall time is limited.
No limit is put on its address space either, since numpy and torch reserve far more of it than they use.  Synthetic
data only; whoever puts the parts together holds that rule (`isolated` is False).
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from evalsvc.domain.errors import Conflict, DatasetError, ImageRefused, JobFailed, Unavailable
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import JobSpec, Observation, Phase
from evalsvc.executors.folder_images import PREFIX, snapshot_of
from evalsvc.executors.folder_images import FolderImages as FolderImages
from evalsvc.executors.framing import parse_frame
from evalsvc.executors.process_job import kill_group, lock, start_tick, write_json
from evalsvc.executors.spec_hash import spec_hash
from evalsvc.pod.stage import StageError, read_manifest

_POLL: Final = 0.05
"""Seconds between looks while waiting: there is no engine whose events could be followed."""


class ProcessExecutor:
    """See `evalsvc.executors.base.Executor`.  `state` holds a folder per job, and the snapshots of the images."""

    name = "process"
    isolated = False

    def __init__(self, state: Path) -> None:
        self._state = state.absolute()
        self._jobs = self._state / "jobs"
        self._started: list[subprocess.Popen[bytes]] = []

    def check(self) -> None:
        """Raise `Unavailable` where the state folder cannot be written."""
        try:
            self._jobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"{self._state} cannot be written: {error.strerror}. Name another folder."
            ) from error

    def create(self, spec: JobSpec) -> None:
        """Make the job's folder, then its process; either is adopted when it is there."""
        self.check()
        folder = self._folder(spec.attempt_id)
        if not folder.is_dir():
            self._prepare(spec, folder)
        if _read(folder / "job.json")["spec"] != spec_hash(spec):
            raise Conflict(
                f"There is a job of attempt {spec.attempt_id} with another specification. Delete it first."
            )
        if not (folder / "supervisor.json").exists():
            self._launch(folder, spec.name_key)

    def observe(self) -> Sequence[Observation]:
        """Every job folder, read; nothing has to be moved on: each job's own process does that."""
        self._reap()
        seen = []
        for folder in self._folders():
            with contextlib.suppress(FileNotFoundError):  # it is being deleted at this moment
                seen.append(observe_folder(folder))
        return seen

    def harvest(self, attempt_id: str) -> bytes:
        """See the protocol; the collect step is the same program as in a container."""
        folder = self._folder(attempt_id)
        if not folder.is_dir():
            raise JobFailed(Cause.INFRASTRUCTURE, "the job's folder is gone")
        seen, job = observe_folder(folder), _read(folder / "job.json")
        if seen.cause is not None:
            raise JobFailed(seen.cause, seen.detail)
        if seen.phase is not Phase.FINISHED:
            raise Conflict(f"The job of attempt {attempt_id} has not finished: it is {seen.phase}.")
        command = [sys.executable, "-I", "-m", "evalsvc.pod", "collect", f"--output={folder / 'output'}"]
        done = subprocess.run([*command, f"--limit={job['predictions']}"], capture_output=True, check=False)
        if done.returncode != 0:
            raise JobFailed(Cause.INFRASTRUCTURE, f"the collect step ended with {done.returncode}")
        return parse_frame(done.stdout)

    def log(self, attempt_id: str, limit: int = 64 * 1024) -> bytes:
        """The end of what the submission printed, kept when it ends."""
        try:
            text = (self._folder(attempt_id) / "log").read_bytes()
        except FileNotFoundError:
            return b""
        return text[-limit:] if limit > 0 else b""

    def delete(self, attempt_id: str) -> None:
        """End what runs, first the process that would start more, and remove the folder."""
        folder = self._folder(attempt_id)
        for name in ("supervisor.json", "submission.json"):
            with contextlib.suppress(FileNotFoundError):
                _kill(_read(folder / name))
        self._reap()
        _make_removable(folder)
        shutil.rmtree(folder, ignore_errors=True)

    def wait(self, timeout: float) -> None:
        """Look often until a job ends."""
        running = [folder for folder in self._folders() if not (folder / "end.json").exists()]
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(_POLL, left))
            if any((folder / "end.json").exists() for folder in running):
                return

    def close(self) -> None:
        """Jobs go on; the operating system's record of those that have ended is cleared."""
        self._reap()
        for process in self._started:
            process.returncode = 0
        self._started = []

    def _folder(self, attempt_id: str) -> Path:
        if not attempt_id or "/" in attempt_id or attempt_id.startswith("."):
            raise ValueError(f"{attempt_id!r} is not an attempt id")
        return self._jobs / f"ev-{attempt_id}"

    def _folders(self) -> Iterator[Path]:
        if self._jobs.is_dir():
            yield from sorted(path for path in self._jobs.iterdir() if path.name.startswith("ev-"))

    def _prepare(self, spec: JobSpec, folder: Path) -> None:
        """Everything but the process, made aside and moved into place in one step."""
        program = snapshot_of(self._state, spec.image)
        if not spec.image.startswith(PREFIX) or not program.is_dir():
            raise ImageRefused(f"The snapshot {spec.image} is no longer here. Submit the folder again.")
        try:
            read_manifest(spec.source, spec.splits)
        except StageError as error:
            raise DatasetError(f"{spec.source}: {error}. Import the data set again.") from error
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._jobs))
        for name in ("input", "output", "tmp"):
            (draft / name).mkdir()
        job = {
            "attempt": spec.attempt_id,
            "spec": spec_hash(spec),
            "source": str(spec.source.resolve()),
            "splits": list(spec.splits),
            "program": str(program),
            "wall_time": spec.limits.wall_time,
            "output": spec.limits.output,
            "predictions": spec.limits.predictions,
        }
        write_json(draft / "job.json", job)
        with contextlib.suppress(OSError):
            draft.rename(folder)
        shutil.rmtree(draft, ignore_errors=True)

    def _launch(self, folder: Path, key: bytes) -> None:
        """Start the job's process in a session of its own, so that it outlives this one."""
        command = [sys.executable, "-I", "-m", "evalsvc.executors.process_job", str(folder)]
        with (folder / "supervisor.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        with process.stdin as stdin, contextlib.suppress(BrokenPipeError):
            stdin.write(key.hex().encode() + b"\n")
        self._started.append(process)

    def _reap(self) -> None:
        self._started = [process for process in self._started if process.poll() is None]


def observe_folder(folder: Path) -> Observation:
    """What the files of one job say."""
    job, end = _read(folder / "job.json"), folder / "end.json"
    if end.exists():
        return _ended(job, _read(end), folder)
    held = lock(folder)
    if held is not None:
        os.close(held)
        if end.exists():
            return _ended(job, _read(end), folder)
        if (folder / "supervisor.json").exists():
            return _finished(job, Cause.INFRASTRUCTURE, "the job's process is gone")
        return Observation(job["attempt"], Phase.WAITING)
    if (folder / "submission.json").exists():
        started = datetime.fromtimestamp(_read(folder / "submission.json")["started"], UTC)
        return Observation(job["attempt"], Phase.RUNNING, started_at=started)
    return Observation(job["attempt"], Phase.STAGING)


def _ended(job: dict[str, Any], end: dict[str, Any], folder: Path) -> Observation:
    stage, submission = end["stage"], end["submission"]
    if submission is None:
        return _finished(job, Cause.INFRASTRUCTURE, f"the stage step ended: {stage['account']}")
    times = (
        datetime.fromtimestamp(submission["started"], UTC),
        datetime.fromtimestamp(submission["finished"], UTC),
    )
    code = submission["exit_code"]
    if submission["timed_out"]:
        return _finished(job, Cause.TIMED_OUT, f"ran for {job['wall_time']:g} s or more", times)
    if _size(folder / "output") > job["output"]:
        return _finished(job, Cause.OUTPUT_TOO_LARGE, f"more than {job['output']} bytes, exit code {code}", times)
    if code != 0:
        return _finished(job, Cause.CRASHED, f"exit code {code}", times)
    return _finished(job, None, "", times)


def _finished(
    job: dict[str, Any],
    cause: Cause | None,
    detail: str,
    times: tuple[datetime | None, datetime | None] = (None, None),
) -> Observation:
    return Observation(job["attempt"], Phase.FINISHED, cause, detail, *times)


def _size(folder: Path) -> int:
    """Bytes that the files below `folder` really take; links are not followed."""
    return sum(os.lstat(Path(root) / name).st_blocks * 512 for root, _, names in os.walk(folder) for name in names)


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _kill(record: dict[str, Any]) -> None:
    """End the process group of `record`, unless its number belongs to another process by now."""
    if record["tick"] is not None and start_tick(record["pid"]) == record["tick"]:
        kill_group(record["pid"])
        deadline = time.monotonic() + 5
        while (
            start_tick(record["pid"]) == record["tick"] and _alive(record["pid"]) and time.monotonic() < deadline
        ):
            time.sleep(0.01)


def _alive(pid: int) -> bool:
    """Whether a process is more than a record that nobody has asked for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _make_removable(folder: Path) -> None:
    """Staged folders are read-only; give their owner the right to empty them."""
    for root, _, _ in os.walk(folder):
        Path(root).chmod(0o700)
