"""The worker over a real database, real sealed files and real processes; most tests restart it at every tick."""

import contextlib
import shutil
import subprocess
import threading
from datetime import UTC, datetime

import pytest
import structlog
from sqlalchemy import func, select

from evalsvc.bootstrap import configure_logging
from evalsvc.domain.errors import Conflict, Unavailable
from evalsvc.domain.labels import LabelTable
from evalsvc.domain.submission import EXPLANATIONS, Cause, Kind, State
from evalsvc.executors.docker import DockerExecutor
from evalsvc.settlement import Settlement
from evalsvc.store import quota, submissions
from evalsvc.store.blobs import Blobs
from evalsvc.store.datasets import current_dataset
from evalsvc.store.scores import score_of
from evalsvc.store.tables import Attempt, Dataset, Score
from tests.integration.service import ON_PRIVATE, PRIVATE, PUBLIC, Service

GOOD_LIFE = [
    State.RECEIVED,
    State.TRIAL_QUEUED,
    State.TRIAL_RUNNING,
    State.QUEUED,
    State.RUNNING,
    State.SCORING,
    State.SCORED,
]


def used(service: Service) -> int:
    with service.store.read() as session:
        return len(quota.used_slots(session, service.team.id, service.clock()))


def log_of(service: Service, submission_id: str, kind: Kind) -> str:
    with service.store.read() as session:
        attempt = submissions.last_attempt(session, submission_id, kind)
    assert attempt is not None
    assert attempt.log is not None
    return Blobs(service.data / "blobs").get(attempt.log).decode()


def test_a_good_model_is_tried_run_and_scored_once(service: Service) -> None:
    submission_id = service.submit()
    service.end(submission_id)
    assert service.states(submission_id) == GOOD_LIFE
    assert used(service) == 1
    with service.store.read() as session:
        score = score_of(session, submission_id)
        assert session.scalar(select(func.count(Score.id))) == 1
    assert score is not None
    assert (score.report["private"]["images"], score.report["public"]["images"]) == (PRIVATE, PUBLIC)
    assert "saw 8 images" in log_of(service, submission_id, Kind.TRIAL)
    assert f"saw {PUBLIC + PRIVATE} images" in log_of(service, submission_id, Kind.EVALUATION)


def test_the_names_a_model_sees_differ_between_attempts(service: Service) -> None:
    """Its score is made of its names, so equal names would give equal logs."""
    submission_id = service.submit("print(*names)")
    service.end(submission_id)
    trial, private = (set(log_of(service, submission_id, kind).split()) for kind in Kind)
    shared = {word for word in trial & private if word.endswith(".png")}
    assert len([word for word in private if word.endswith(".png")]) == PUBLIC + PRIVATE
    assert not shared


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("raise SystemExit('my own words')", "exit"),
        ("names = names[1:]", "predictions.csv"),
        ("raise SystemExit(0)", "no /output/predictions.csv"),
    ],
)
def test_a_failed_trial_says_why_and_costs_nothing(service: Service, extra: str, said: str) -> None:
    submission_id = service.submit(extra)
    ended = service.end(submission_id)
    assert (ended.state, ended.cause) == (State.FAILED, Cause.TRIAL_FAILED)
    assert said in ended.reason
    assert State.RUNNING not in service.states(submission_id)
    assert used(service) == 0
    assert "saw 8 images" in log_of(service, submission_id, Kind.TRIAL)


@pytest.mark.parametrize(
    ("extra", "cause"),
    [
        ("raise SystemExit('pixel 17 is bright')", Cause.CRASHED),
        ("names = names[1:]", Cause.INVALID_PREDICTIONS),
        ("raise SystemExit(0)", Cause.NO_PREDICTIONS),
    ],
)
def test_a_failure_on_the_private_images_gives_its_cause_alone_and_is_charged(
    service: Service, extra: str, cause: Cause
) -> None:
    submission_id = service.submit(ON_PRIVATE + extra)
    ended = service.end(submission_id)
    assert (ended.state, ended.cause, ended.reason) == (State.FAILED, cause, EXPLANATIONS[cause])
    assert used(service) == 1


def test_a_model_that_hangs_on_the_private_images_is_timed_out_and_charged(service: Service) -> None:
    submission_id = service.submit(f"{ON_PRIVATE}import time; time.sleep(600)")
    ended = service.end(submission_id, service.worker(wall_time=2.0))
    assert (ended.state, ended.cause) == (State.FAILED, Cause.TIMED_OUT)
    assert used(service) == 1


def test_a_job_that_vanishes_is_rerun_at_no_charge(service: Service) -> None:
    gate = service.data.parent / "gate"
    submission_id = service.submit(
        f"{ON_PRIVATE}\n  while not pathlib.Path({str(gate)!r}).exists(): __import__('time').sleep(0.02)"
    )
    worker = service.worker()
    service.work_until_state(submission_id, State.RUNNING, worker=worker)
    service.work_until(lambda: any(seen.phase == "running" for seen in service.executor.observe()), worker)
    for seen in service.executor.observe():
        service.executor.delete(seen.attempt_id)
    worker.tick()
    service.clock.advance(60)
    worker.tick()
    assert service.find(submission_id).state is State.QUEUED
    assert "rerun 1 of at most 3" in service.find(submission_id).reason
    gate.touch()
    service.clock.advance(60)  # a rerun rests before it starts
    service.end(submission_id)
    assert service.states(submission_id).count(State.RUNNING) == 2
    assert service.states(submission_id)[-1] is State.SCORED
    assert used(service) == 1


def test_after_the_last_rerun_the_platform_gives_up_and_gives_back(service: Service) -> None:
    submission_id = service.submit("__import__('time').sleep(600)")
    worker = service.worker(retries=1)
    for _ in range(2):
        service.work_until(lambda: any(seen.phase == "running" for seen in service.executor.observe()), worker)
        worker.tick()
        for seen in service.executor.observe():
            service.executor.delete(seen.attempt_id)
        worker.tick()
        service.clock.advance(60)
        worker.tick()
        service.clock.advance(60)
    ended = service.find(submission_id)
    assert (ended.state, ended.cause) == (State.FAILED, Cause.INFRASTRUCTURE)
    assert used(service) == 0


def test_cancel_ends_a_private_run_which_stays_charged(service: Service) -> None:
    submission_id = service.submit(f"{ON_PRIVATE}__import__('time').sleep(600)")
    service.work_until_state(submission_id, State.RUNNING)
    service.work_until(lambda: any(seen.phase == "running" for seen in service.executor.observe()))
    service.admission.cancel(service.team.id, submission_id)
    assert service.end(submission_id).state is State.CANCELLED
    assert used(service) == 1  # the private images were touched
    with pytest.raises(Conflict):
        service.admission.cancel(service.team.id, submission_id)


def test_an_orphan_job_is_removed(service: Service) -> None:
    submission_id = service.submit("__import__('time').sleep(600)")
    service.work_until(lambda: bool(service.executor.observe()))
    with service.store.begin() as session:
        attempt = session.scalars(select(Attempt).where(Attempt.submission_id == submission_id)).one()
        submission = submissions.submission_of(session, submission_id)
        submissions.end_attempt(attempt, submissions.End(service.clock()))
        submissions.enter(session, submission, State.CANCELLED, service.clock())
        attempt.deleted_at = service.clock()
    service.worker().tick()
    assert not service.executor.observe()


def test_what_has_ended_cannot_be_settled_again(service: Service) -> None:
    submission_id = service.submit()
    service.end(submission_id)
    with service.store.read() as session:
        attempt = submissions.last_attempt(session, submission_id, Kind.EVALUATION)
        score = score_of(session, submission_id)
    assert attempt is not None
    assert score is not None
    before = service.states(submission_id)
    late = Settlement(service.store, 3, service.clock)
    late.scored(submission_id, score.report)
    late.collected(attempt.id, "0" * 64, "0" * 64)
    late.trial_passed(attempt.id, "0" * 64)
    late.unscorable(submission_id, Cause.INVALID_PREDICTIONS)
    assert not late.dispatch(attempt.id)
    assert service.states(submission_id) == before


def test_changed_labels_are_never_scored_with(service: Service) -> None:
    submission_id = service.submit()
    service.work_until_state(submission_id, State.SCORING)
    [label_file] = (service.data / "datasets").glob("*/labels/*private.csv")
    label_file.chmod(0o600)
    label_file.write_text(label_file.read_text().replace(";1;", ";0;", 1))
    for _ in range(3):
        service.worker().tick()
    assert service.find(submission_id).state is State.SCORING
    service.clock.advance(25 * 3600)
    service.worker().tick()
    ended = service.find(submission_id)
    assert (ended.state, ended.cause) == (State.FAILED, Cause.INFRASTRUCTURE)


def test_scoring_that_fails_for_whatever_reason_ends_at_its_deadline(service: Service) -> None:
    submission_id = service.submit()
    service.work_until_state(submission_id, State.SCORING)
    shutil.rmtree(service.data / "blobs")
    service.worker().tick()
    assert service.find(submission_id).state is State.SCORING
    service.clock.advance(25 * 3600)
    service.worker().tick()
    ended = service.find(submission_id)
    assert (ended.state, ended.cause) == (State.FAILED, Cause.INFRASTRUCTURE)


def test_a_failing_step_puts_no_label_and_no_key_into_the_log(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    submission_id = service.submit()
    service.work_until_state(submission_id, State.SCORING)

    def broken(labels: LabelTable, predictions: object) -> None:
        secrets = [repr(row) for row in labels.rows]
        raise ZeroDivisionError(f"{len(secrets)} rows")

    monkeypatch.setattr("evalsvc.evaluation.score_split", broken)
    configure_logging()
    try:
        service.worker().tick()
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert f"{PRIVATE} rows" in said  # the failure is there
    with service.store.read() as session:
        attempt = submissions.last_attempt(session, submission_id, Kind.EVALUATION)
    assert attempt is not None
    for secret in ("private_1.png", "LabelRow", "Prediction(", repr(attempt.name_key)[2:-1][:8]):
        assert secret not in said


def test_one_job_at_a_time_in_the_order_of_submission(service: Service) -> None:
    first, second = service.submit(name="one"), service.submit("print('two')", name="two")
    service.end(first)
    service.end(second)
    history = {}
    with service.store.read() as session:
        for submission_id, changes in submissions.histories(session, [first, second]).items():
            history[submission_id] = {change.state: change.at for change in changes}
    assert history[first][State.TRIAL_RUNNING] < history[second][State.TRIAL_RUNNING]
    assert history[first][State.QUEUED] <= history[second][State.TRIAL_RUNNING]


def test_without_isolation_nothing_but_synthetic_data_is_run(service: Service) -> None:
    waiting = service.submit()
    with service.store.begin() as session:
        session.scalars(select(Dataset)).one().synthetic = False
    with pytest.raises(Unavailable, match="not synthetic"):
        service.submit("print('another')", name="another")
    for _ in range(3):
        service.worker().tick()
    assert service.find(waiting).state is State.TRIAL_QUEUED
    assert not service.executor.observe()


def test_run_ends_when_it_is_told_to(service: Service) -> None:
    stop = threading.Event()
    submission_id = service.submit()
    thread = threading.Thread(target=service.worker().run, args=(stop, service.executor.check))
    thread.start()
    try:
        with contextlib.suppress(AssertionError):
            service.work_until(lambda: service.find(submission_id).state.ended, _Idle())  # type: ignore[arg-type]
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
    assert service.states(submission_id) == GOOD_LIFE


class _Idle:
    """Stands beside a worker that runs in its own thread."""

    def tick(self) -> bool:
        return False


def test_times_of_the_history_are_instants_in_utc(service: Service) -> None:
    submission_id = service.submit()
    with service.store.read() as session:
        [first, *_] = submissions.histories(session, [submission_id])[submission_id]
    assert first.at.tzinfo is UTC
    assert abs((first.at - datetime.now(UTC)).total_seconds()) < 60


def test_a_private_run_keeps_its_place_until_its_end_is_shown(service: Service) -> None:
    """Else the start of the next run would tell when the last one ended, to the second."""
    worker = service.worker(step=3600.0)
    first = service.submit(name="one")
    service.end(first, worker)
    second = service.submit("print('two')", name="two")
    for _ in range(3):
        worker.tick()
    assert service.find(second).state is State.TRIAL_QUEUED
    service.clock.advance(3600)
    service.work_until_state(second, State.TRIAL_RUNNING, worker=worker)


@pytest.mark.docker
def test_an_open_sandbox_stops_everything(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The offline proof is given a target that answers; no submission runs, and no further job is started."""
    executor = DockerExecutor(f"test-{service.data.parent.name}", netcheck_targets=["127.0.0.1:9"])
    executor.check()
    monkeypatch.setitem(service.__dict__, "executor", executor)
    reference = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Id}}", "python:3.11-slim-bookworm"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with service.store.begin() as session:
        dataset = current_dataset(session)
        row = submissions.add_submission(session, service.team.id, dataset, "any", reference, service.clock())
    worker = service.worker()
    try:
        service.work_until(
            lambda: service.find(row.id).state is State.TRIAL_QUEUED and dispatches(service) == 1, worker
        )
        for _ in range(5):
            worker.tick()
        assert service.find(row.id).state is State.TRIAL_QUEUED
        assert "rerun 1 of at most 3" in service.find(row.id).reason
        assert dispatches(service) == 1
    finally:
        for seen in executor.observe():
            executor.delete(seen.attempt_id)
        executor.close()


def dispatches(service: Service) -> int:
    with service.store.read() as session:
        return session.scalar(select(func.count(Attempt.id)).where(Attempt.dispatched_at.is_not(None))) or 0
