"""What every executor promises: one suite, run over each of them."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from evalsvc.domain.errors import Conflict, DatasetError, ImageRefused, JobFailed, NotFound
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Phase
from evalsvc.pod.naming import staged_name
from tests.images.jobs import LIMITS, Place


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(request.param, tmp_path)
    yield made
    made.close()


def rows(predictions: bytes) -> dict[str, int]:
    header, *lines = predictions.decode().splitlines()
    assert header == "Filename,Score"
    return {name: int(score) for name, score in (line.split(",") for line in lines)}


def test_a_submission_sees_its_images_under_names_of_this_attempt(place: Place) -> None:
    place.executor.check()
    spec = place.spec(place.image("honest"), splits=("private", "test"))
    seen = place.finish(spec)
    assert (seen.phase, seen.cause) == (Phase.FINISHED, None)
    assert seen.started_at is not None
    assert seen.finished_at is not None
    assert 0 < (seen.finished_at - seen.started_at).total_seconds() < 30
    paths = [f"private/private_{n}.png" for n in range(5)] + [f"test/test_{n}.png" for n in range(3)]
    expected = {staged_name(spec.name_key, path): (place.source / path).stat().st_size for path in paths}
    assert rows(place.executor.harvest(spec.attempt_id)) == expected
    assert place.executor.log(spec.attempt_id) == b"scored 8 images\n"


def test_only_the_splits_of_the_spec_are_staged(place: Place) -> None:
    spec = place.spec(place.image("honest"), splits=("test",))
    assert place.finish(spec).cause is None
    assert rows(place.executor.harvest(spec.attempt_id)).keys() == {
        staged_name(spec.name_key, f"test/test_{n}.png") for n in range(3)
    }


def test_the_same_image_has_another_name_in_each_attempt(place: Place) -> None:
    image = place.image("honest")
    first, second = place.spec(image), place.spec(image)
    for spec in (first, second):
        place.finish(spec)
    one, other = (rows(place.executor.harvest(spec.attempt_id)) for spec in (first, second))
    assert not one.keys() & other.keys()
    assert sorted(one.values()) == sorted(other.values())


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        ("crash", Cause.CRASHED),
        ("fill", Cause.OUTPUT_TOO_LARGE),
    ],
)
def test_a_submission_that_fails_has_a_cause_and_nothing_to_harvest(
    place: Place, behaviour: str, cause: Cause
) -> None:
    spec = place.spec(place.image(behaviour))
    assert place.finish(spec).cause is cause
    with pytest.raises(JobFailed) as failed:
        place.executor.harvest(spec.attempt_id)
    assert failed.value.cause is cause


def test_the_log_of_a_crash_shows_standard_error_too(place: Place) -> None:
    spec = place.spec(place.image("crash"))
    place.finish(spec)
    assert sorted(place.executor.log(spec.attempt_id).splitlines()) == [b"about to fail", b"scored 5 images"]


def test_a_submission_that_hangs_is_stopped(place: Place) -> None:
    spec = place.spec(place.image("hang"), limits=replace(LIMITS, wall_time=1.0))
    began = time.monotonic()
    seen = place.finish(spec)
    assert seen.cause is Cause.TIMED_OUT
    assert time.monotonic() - began < 15
    assert b"scored 5 images" in place.executor.log(spec.attempt_id)
    with pytest.raises(JobFailed) as failed:
        place.executor.harvest(spec.attempt_id)
    assert failed.value.cause is Cause.TIMED_OUT


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        ("silent", Cause.NO_PREDICTIONS),
        ("symlink", Cause.INVALID_PREDICTIONS),
        ("fifo", Cause.INVALID_PREDICTIONS),
        ("directory", Cause.INVALID_PREDICTIONS),
        ("hard_link", Cause.INVALID_PREDICTIONS),
        ("large", Cause.OUTPUT_TOO_LARGE),
        ("sparse", Cause.OUTPUT_TOO_LARGE),
    ],
)
def test_what_is_no_plain_small_file_is_not_harvested(place: Place, behaviour: str, cause: Cause) -> None:
    spec = place.spec(place.image(behaviour))
    assert place.finish(spec).cause is None
    began = time.monotonic()
    with pytest.raises(JobFailed) as failed:
        place.executor.harvest(spec.attempt_id)
    assert failed.value.cause is cause
    assert time.monotonic() - began < 10


def test_a_flood_of_output_is_cut_to_its_end(place: Place) -> None:
    spec = place.spec(place.image("chatty"))
    assert place.finish(spec).cause is None
    log = place.executor.log(spec.attempt_id, limit=10_000)
    assert len(log) == 10_000
    assert log.endswith(b"the last word\n")
    assert 64 * 1024 <= len(place.executor.log(spec.attempt_id, limit=1 << 30)) <= 2 << 20
    assert place.executor.log(spec.attempt_id, limit=0) == b""


def test_what_a_submission_leaves_running_ends_with_it(place: Place) -> None:
    spec = place.spec(place.image("orphan"))
    assert place.finish(spec).cause is None
    time.sleep(2.5)
    assert len(rows(place.executor.harvest(spec.attempt_id))) == 5


def test_a_job_goes_on_when_the_service_is_replaced(place: Place) -> None:
    spec = place.spec(place.image("slow"))
    place.executor.create(spec)
    place.executor.close()
    place.executor = place.another()
    assert place.until(spec, {Phase.FINISHED}).cause is None
    assert len(rows(place.executor.harvest(spec.attempt_id))) == 5
    place.executor = place.another()
    assert len(rows(place.executor.harvest(spec.attempt_id))) == 5


def test_creating_again_adopts(place: Place) -> None:
    spec = place.spec(place.image("slow"))
    place.executor.create(spec)
    place.executor.create(spec)
    place.another().create(spec)
    first = place.until(spec, {Phase.FINISHED})
    place.another().create(spec)
    assert place.seen(spec) == first
    assert len(rows(place.executor.harvest(spec.attempt_id))) == 5


def test_creating_at_the_same_time_makes_one_job(place: Place) -> None:
    spec = place.spec(place.image("honest"))
    place.executor.check()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda executor: executor.create(spec), [place.another() for _ in range(4)]))
    assert place.until(spec, {Phase.FINISHED}).cause is None
    assert len(rows(place.executor.harvest(spec.attempt_id))) == 5


@pytest.mark.parametrize("change", ["key", "splits", "limits", "image"])
def test_another_spec_of_the_same_name_is_a_conflict(place: Place, change: str) -> None:
    spec = place.spec(place.image("honest"))
    place.finish(spec)
    changed = {
        "key": {"name_key": b"k" * 32},
        "splits": {"splits": ("test",)},
        "limits": {"limits": replace(LIMITS, wall_time=31.0)},
        "image": {"image": place.image("slow")},
    }
    with pytest.raises(Conflict, match=spec.attempt_id):
        place.executor.create(replace(spec, **changed[change]))
    assert len(rows(place.executor.harvest(spec.attempt_id))) == 5


def test_jobs_run_side_by_side(place: Place) -> None:
    image = place.image("slow")
    specs = [place.spec(image), place.spec(image)]
    for spec in specs:
        place.executor.create(spec)
    ends = [place.until(spec, {Phase.FINISHED}) for spec in specs]
    assert [end.cause for end in ends] == [None, None]
    assert max(end.started_at for end in ends) < min(end.finished_at for end in ends)  # type: ignore[type-var]
    one, other = (rows(place.executor.harvest(spec.attempt_id)) for spec in specs)
    assert not one.keys() & other.keys()


def test_deleting_stops_and_removes_and_may_be_repeated(place: Place) -> None:
    spec = place.spec(place.image("hang"))
    place.executor.create(spec)
    place.until(spec, {Phase.RUNNING})
    with pytest.raises(Conflict, match="has not finished"):
        place.executor.harvest(spec.attempt_id)
    place.executor.delete(spec.attempt_id)
    assert place.seen(spec) is None
    place.executor.delete(spec.attempt_id)
    place.executor.delete("never-was")
    assert place.executor.log(spec.attempt_id) == b""
    with pytest.raises(JobFailed) as failed:
        place.executor.harvest(spec.attempt_id)
    assert failed.value.cause is Cause.INFRASTRUCTURE


def test_waiting_ends_with_the_job_and_not_later_than_asked(place: Place) -> None:
    spec = place.spec(place.image("hang"), limits=replace(LIMITS, wall_time=60.0))
    place.executor.create(spec)
    place.until(spec, {Phase.RUNNING})
    place.executor.wait(0.2)
    began = time.monotonic()
    place.executor.wait(0.5)
    assert 0.4 < time.monotonic() - began < 2
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(place.executor.wait, 20.0)
        time.sleep(0.3)
        stop(place, spec.attempt_id)
        began = time.monotonic()
        waiting.result(timeout=20)
    assert time.monotonic() - began < 5
    assert place.until(spec, {Phase.FINISHED}).cause is Cause.CRASHED


def stop(place: Place, attempt_id: str) -> None:
    """End the submission from outside, as a machine in trouble might."""
    if place.kind == "docker":
        import docker

        client = docker.from_env()
        client.api.kill(f"ev-{attempt_id}-submission")
        client.close()
    else:
        import json

        record = json.loads((place.folder / "state/jobs" / f"ev-{attempt_id}" / "submission.json").read_text())
        os.kill(record["pid"], signal.SIGKILL)


def test_a_changed_image_ends_the_attempt_before_the_submission_starts(place: Place) -> None:
    victim = place.source / "private/private_3.png"
    victim.write_bytes(victim.read_bytes()[::-1])
    spec = place.spec(place.image("honest"))
    seen = place.finish(spec)
    assert seen.cause is Cause.INFRASTRUCTURE
    assert "private/private_3.png is not the image that was sealed" in seen.detail
    assert seen.started_at is None
    assert place.executor.log(spec.attempt_id) == b""


def test_a_missing_image_too(place: Place) -> None:
    (place.source / "private/private_3.png").unlink()
    seen = place.finish(place.spec(place.image("honest")))
    assert seen.cause is Cause.INFRASTRUCTURE
    assert "private/private_3.png cannot be read" in seen.detail


def test_a_data_set_without_a_manifest_is_said_at_once(place: Place) -> None:
    (place.source / "manifest.json").unlink()
    with pytest.raises(DatasetError, match=r"manifest\.json"):
        place.executor.create(place.spec(place.image("honest")))


def test_an_image_that_is_gone_is_refused(place: Place) -> None:
    gone = {"docker": "sha256:" + "0" * 64, "process": "folder-sha256:" + "0" * 64}[place.kind]
    with pytest.raises(ImageRefused, match="no longer"):
        place.executor.create(place.spec(gone))


def test_an_image_that_never_was_is_not_found(place: Place) -> None:
    with pytest.raises(NotFound, match="no-such-image"):
        place.resolver().resolve("no-such-image")
