"""What is special about the process executor: its own process per job, snapshots of folders, and no isolation."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalsvc.domain.errors import ImageRefused, NotFound, Unavailable
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Phase
from evalsvc.executors.process import FolderImages, ProcessExecutor
from evalsvc.executors.process_job import lock, start_tick
from tests.images.jobs import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place("process", tmp_path)
    yield made
    made.close()


def record(place: Place, attempt_id: str, name: str) -> dict[str, int]:
    found: dict[str, int] = json.loads((place.folder / "state/jobs" / f"ev-{attempt_id}" / name).read_text())
    return found


def program(place: Place, text: str) -> str:
    folder = place.folder / "submissions/own"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "predict.py").write_text(text)
    return place.resolver().resolve(str(folder)).digest


def test_it_says_that_it_does_not_isolate(place: Place) -> None:
    assert place.executor.isolated is False


def test_a_submission_whose_keeper_is_killed_is_our_fault_and_is_ended_by_delete(place: Place) -> None:
    spec = place.spec(place.image("hang"))
    place.executor.create(spec)
    place.until(spec, {Phase.RUNNING})
    submission = record(place, spec.attempt_id, "submission.json")
    os.kill(record(place, spec.attempt_id, "supervisor.json")["pid"], signal.SIGKILL)
    seen = place.until(spec, {Phase.FINISHED})
    assert (seen.cause, seen.detail) == (Cause.INFRASTRUCTURE, "the job's process is gone")
    assert start_tick(submission["pid"]) == submission["tick"]
    place.executor.create(spec)
    assert place.seen(spec) == seen
    place.executor.delete(spec.attempt_id)
    deadline = time.monotonic() + 5
    while start_tick(submission["pid"]) == submission["tick"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert start_tick(submission["pid"]) != submission["tick"]


def test_an_interrupted_create_is_completed_by_the_next(place: Place) -> None:
    class Interrupted(ProcessExecutor):
        def _launch(self, folder: Path, key: bytes) -> None:
            raise KeyboardInterrupt

    spec = place.spec(place.image("honest"))
    with pytest.raises(KeyboardInterrupt):
        Interrupted(place.folder / "state").create(spec)
    seen = place.seen(spec)
    assert seen is not None
    assert seen.phase is Phase.WAITING
    assert place.finish(spec).cause is None


def test_the_submission_is_told_nothing_of_the_service(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSVC_TOKEN", "secret")
    spec = place.spec(program(place, "import os\nprint(sorted(os.environ))\n"))
    place.finish(spec)
    log = place.executor.log(spec.attempt_id).decode()
    assert "EVALSVC_TOKEN" not in log
    assert "EVALSVC_INPUT" in log
    assert "EVALSVC_NAME_KEY" not in log


def test_the_key_is_in_no_file_of_the_job(place: Place) -> None:
    spec = place.spec(place.image("honest"))
    place.finish(spec)
    files = [path for path in (place.folder / "state").rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        assert spec.name_key.hex().encode() not in path.read_bytes(), path
        assert spec.name_key not in path.read_bytes(), path


def test_a_snapshot_is_not_changed_by_later_edits(place: Place) -> None:
    before = program(place, "print('first')\n")
    after = program(place, "print('second')\n")
    assert before != after
    spec = place.spec(before)
    place.finish(spec)
    assert place.executor.log(spec.attempt_id) == b"first\n"


def test_the_digest_is_that_of_names_and_contents(place: Place) -> None:
    first = program(place, "print(1)\n")
    folder = place.folder / "submissions/own"
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/predict.pyc").write_bytes(b"x")
    assert program(place, "print(1)\n") == first
    (folder / "weights").mkdir()
    (folder / "weights/model.bin").write_bytes(b"w" * 1000)
    resolved = place.resolver().resolve(str(folder))
    assert resolved.digest != first
    assert resolved.size == 1000 + len("print(1)\n")
    assert resolved.digest.startswith("folder-sha256:")
    assert (resolved.platform, resolved.volumes, resolved.environment) == ("linux/amd64", (), ())
    assert resolved.command


def test_links_are_refused(place: Place) -> None:
    program(place, "")
    (place.folder / "submissions/own/link").symlink_to("/etc/passwd")
    with pytest.raises(ImageRefused, match="is a link or a special file"):
        program(place, "")


def test_a_folder_without_a_program_is_not_found(place: Place) -> None:
    with pytest.raises(NotFound, match=r"not a folder with a predict\.py"):
        place.resolver().resolve(str(place.folder))


def test_an_attempt_id_is_no_path(place: Place) -> None:
    for name in ("../x", "a/b", "", ".hidden"):
        with pytest.raises(ValueError, match="is not an attempt id"):
            place.executor.delete(name)


def test_a_lock_is_held_by_one_process_and_freed(tmp_path: Path) -> None:
    held = lock(tmp_path)
    assert held is not None
    assert lock(tmp_path) is None
    os.close(held)
    again = lock(tmp_path)
    assert again is not None
    os.close(again)


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be written"):
        ProcessExecutor(tmp_path / "file/state").check()


def test_the_same_folder_resolved_twice_is_one_snapshot(tmp_path: Path, place: Place) -> None:
    folder = place.folder / "submissions/own"
    program(place, "print(1)\n")
    images = FolderImages(tmp_path / "other")
    assert images.resolve(str(folder)) == images.resolve(str(folder))
    assert len(list((tmp_path / "other/images").iterdir())) == 1
