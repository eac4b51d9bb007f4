"""The worker's loop: look at the rows, look at the executor, carry out what `lifecycle.decide` says, repeat.

Level-triggered and crash-only: a tick depends on nothing that an earlier one remembers, except for how long a job
has been missing from the executor's list.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from evalsvc import evaluation
from evalsvc.admission import refuse_unsafe
from evalsvc.domain.disclosure import shown_at
from evalsvc.domain.errors import (
    ConfigurationError,
    Conflict,
    DatasetError,
    ImageRefused,
    JobFailed,
    NotFound,
    PredictionsError,
    Unavailable,
)
from evalsvc.domain.submission import EXPLANATIONS, Cause, Kind
from evalsvc.executors.base import NETWORK_REACHABLE, Executor, Observation, RunLimits
from evalsvc.lifecycle import Action, AttemptRow, Cancel, Collect, Create, Delete, Fail, Queue, Wait, decide
from evalsvc.settlement import Evidence, Settlement, assignment_of
from evalsvc.store import submissions
from evalsvc.store.blobs import Blobs
from evalsvc.store.session import Store
from evalsvc.store.tables import Attempt, Submission


@dataclass(frozen=True)
class WorkerRules:
    """`concurrency` jobs at a time; `tick` seconds between looks; `retries` after failures of the platform.

    `step` (seconds) is the one of `evalsvc.domain.disclosure`: a private run keeps its place until its end is
    shown, since the start of whatever comes next would tell that end exactly.
    """

    limits: RunLimits
    concurrency: int
    tick: float
    retries: int
    step: float = 0.0


class Worker:
    """Moves every submission on, one tick at a time."""

    def __init__(
        self, store: Store, executor: Executor, data: Path, rules: WorkerRules, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._executor, self._data, self._rules, self._clock = store, executor, data, rules, clock
        self._settlement = Settlement(store, rules.retries, clock)
        self._blobs = Blobs(data / "blobs")
        self._missing: dict[str, datetime] = {}
        self._halted = False
        self._said: dict[str, str] = {}
        self._log = structlog.get_logger("evalsvc.worker")

    def run(self, stop: threading.Event, check: Callable[[], None]) -> None:
        """Tick until `stop` is set.  A part that is away for a while is waited for, not died of.

        Nothing happens before `check` has passed once: it raises `Unavailable` where jobs cannot run as they must.
        """
        checked = False
        while not stop.is_set():
            try:
                if not checked:
                    check()
                    checked = True
                moved = self.tick()
                self._said.pop("worker", None)
            except ConfigurationError:  # no waiting mends a setting
                raise
            except Unavailable as error:
                self._say_unavailable("worker", error)
                stop.wait(self._rules.tick)
                continue
            except Exception:  # a database that is away, say: the rows are still the truth when it is back
                self._log.exception("tick failed")
                stop.wait(self._rules.tick)
                continue
            if not moved and not stop.is_set():
                self._executor.wait(self._rules.tick)

    def tick(self) -> bool:
        """Look once at everything unfinished and move each thing on by one step; whether anything moved."""
        with self._store.read() as session:
            scoring = submissions.waiting_to_be_scored(session)
        moved = [self._guarded(submission.id, self._score, submission) for submission in scoring]
        observed = {seen.attempt_id: seen for seen in self._executor.observe()}
        now = self._clock()
        with self._store.read() as session:
            attempts = submissions.unfinished_attempts(session)
            ended = submissions.evaluations_ended_since(session, now - timedelta(seconds=self._rules.step))
        self._remove_orphans(observed, attempts)
        self._note_seen(observed, attempts)
        unshown = sum(1 for at in ended if shown_at(at, self._rules.step) > now)
        moved += [self._step(*planned) for planned in self._plan(attempts, observed, unshown)]
        return any(moved)

    def _plan(
        self, attempts: Sequence[Attempt], observed: Mapping[str, Observation], unshown: int
    ) -> list[tuple[Attempt, Action]]:
        """What to do about each attempt; those whose turn it is not are left out."""
        now = self._clock()
        plan = [(a, self._decide(a, observed, now)) for a in attempts]
        running = sum(1 for a in attempts if a.dispatched_at is not None and a.ended_at is None)
        room = 0 if self._halted else self._rules.concurrency - running - unshown
        queue = [attempt.id for attempt, action in plan if isinstance(action, Queue)]
        admitted = set(queue[: max(room, 0)])
        return [
            (attempt, action)
            for attempt, action in plan
            if not isinstance(action, Wait | Queue) or attempt.id in admitted
        ]

    def _decide(self, attempt: Attempt, observed: Mapping[str, Observation], now: datetime) -> Action:
        try:
            return decide(self._row(attempt, observed, now), observed.get(attempt.id), now)
        except Exception:  # one row that cannot be judged must not keep the others waiting
            self._log.exception("cannot decide", attempt=attempt.id)
            return Wait()

    def _row(self, attempt: Attempt, observed: Mapping[str, Observation], now: datetime) -> AttemptRow:
        if attempt.id in observed:
            self._missing.pop(attempt.id, None)
        elif attempt.seen_at is not None:
            self._missing.setdefault(attempt.id, now)
        return AttemptRow(
            created_at=attempt.created_at,
            wall_time=self._rules.limits.of(attempt.kind).wall_time,
            dispatched_at=attempt.dispatched_at,
            seen_at=attempt.seen_at,
            ended_at=attempt.ended_at,
            missing_since=self._missing.get(attempt.id),
            cancel_at=attempt.submission.cancel_at,
            number=attempt.number,
        )

    def _remove_orphans(self, observed: Mapping[str, Observation], attempts: Sequence[Attempt]) -> None:
        """A job without a row that wants it is deleted: it could only be what a lost transaction left behind."""
        known = {attempt.id for attempt in attempts}
        for attempt_id in observed.keys() - known:
            self._log.warning("orphan job deleted", attempt=attempt_id)
            self._guarded(attempt_id, self._executor.delete, attempt_id)

    def _note_seen(self, observed: Mapping[str, Observation], attempts: Sequence[Attempt]) -> None:
        new = [a.id for a in attempts if a.id in observed and a.seen_at is None and a.dispatched_at is not None]
        if new:
            self._settlement.seen(new)

    def _step(self, attempt: Attempt, action: Action) -> bool:
        done = self._guarded(attempt.id, self._carry_out, attempt, action)
        return done and not isinstance(action, Create)  # what was made before is no reason to look again at once

    def _guarded(self, name: str, act: Callable[..., None], *arguments: object) -> bool:
        """One thing that goes wrong must not keep the others waiting; its own deadline ends it."""
        try:
            act(*arguments)
        except Unavailable as error:
            self._say_unavailable(name, error)
            return False
        except Exception:
            self._log.exception("step failed", of=name)
            return False
        self._said.pop(name, None)
        return True

    def _say_unavailable(self, of: str, error: Unavailable) -> None:
        """Once, not at every look: what is away for a night would fill the log."""
        if self._said.get(of) != str(error):
            self._said[of] = str(error)
            self._log.warning("unavailable", of=of, detail=str(error))

    def _carry_out(self, attempt: Attempt, action: Action) -> None:
        match action:
            case Queue() if not self._halted:
                refuse_unsafe(attempt.submission.dataset, self._executor.isolated)
                if self._settlement.dispatch(attempt.id):
                    self._tell("started", attempt)
                    self._create(attempt)
            case Create():
                self._create(attempt)
            case Collect():
                self._collect(attempt)
            case Fail(cause, detail):
                self._fail(attempt, cause, detail)
            case Cancel():
                self._settlement.cancelled(attempt.id)
            case Delete():
                self._executor.delete(attempt.id)
                self._settlement.deleted(attempt.id)
                self._missing.pop(attempt.id, None)
            case Wait() | Queue():
                pass

    def _create(self, attempt: Attempt) -> None:
        try:
            self._executor.create(evaluation.job_spec(self._data, assignment_of(attempt), self._rules.limits))
        except ImageRefused as error:
            self._settlement.failed(attempt.id, Evidence(Cause.IMAGE_REFUSED, str(error), str(error)))
        except Conflict as error:
            self._settlement.failed(attempt.id, Evidence(Cause.INFRASTRUCTURE, str(error)))

    def _collect(self, attempt: Attempt) -> None:
        try:
            predictions = self._executor.harvest(attempt.id)
        except JobFailed as error:
            self._fail(attempt, error.cause, error.detail)
            return
        self._tell("collected", attempt)
        # Bytes first, row second: a row never names predictions that are not there.
        name, log = self._blobs.put(predictions), self._keep_log(attempt)
        if attempt.kind is Kind.EVALUATION:
            self._settlement.collected(attempt.id, name, log)
        else:
            self._finish_trial(attempt, predictions, log)

    def _finish_trial(self, attempt: Attempt, predictions: bytes, log: str) -> None:
        try:
            evaluation.read_predictions(self._data, assignment_of(attempt), predictions)
        except PredictionsError as error:
            text = f"predictions.csv: {error}"
            self._settlement.failed(attempt.id, Evidence(Cause.INVALID_PREDICTIONS, text, text, log))
        except DatasetError as error:
            self._settlement.failed(attempt.id, Evidence(Cause.INFRASTRUCTURE, str(error), log=log))
        else:
            self._settlement.trial_passed(attempt.id, log)

    def _fail(self, attempt: Attempt, cause: Cause, detail: str) -> None:
        if cause is Cause.INFRASTRUCTURE and detail.startswith(NETWORK_REACHABLE):
            self._halted = True
            self._log.error("ALARM: the sandbox is not closed; nothing is started until a restart", detail=detail)
        # The platform's faults are its maintainers' to read.
        explain = detail and cause is not Cause.INFRASTRUCTURE
        reason = f"{EXPLANATIONS[cause].rstrip('.')} ({detail.rstrip('.')})." if explain else EXPLANATIONS[cause]
        self._settlement.failed(attempt.id, Evidence(cause, detail, reason, self._keep_log(attempt)))
        self._tell("failed", attempt, cause=cause, detail=detail)

    def _tell(self, event: str, attempt: Attempt, **facts: str) -> None:
        self._log.info(
            event,
            submission=attempt.submission_id,
            attempt=attempt.id,
            kind=attempt.kind,
            n=attempt.number,
            **facts,
        )

    def _keep_log(self, attempt: Attempt) -> str:
        try:
            log = self._executor.log(attempt.id)
        except Exception:  # an end is not held up by a log that cannot be read
            self._log.exception("log lost", attempt=attempt.id)
            log = b""
        return self._blobs.put(log)

    def _score(self, submission: Submission) -> None:
        with self._store.read() as session:
            attempt = submissions.last_attempt(session, submission.id, Kind.EVALUATION)
        try:
            if attempt is None or attempt.predictions is None:
                raise NotFound("there are no predictions to score")
            predictions = self._blobs.get(attempt.predictions)
            report = evaluation.score(self._data, assignment_of(attempt), predictions)
        except PredictionsError:
            self._settlement.unscorable(submission.id, Cause.INVALID_PREDICTIONS)
        except DatasetError as error:
            self._settlement.unscorable(submission.id, Cause.INFRASTRUCTURE)
            raise Unavailable(f"the sealed data set is not what it was, nothing is scored: {error}") from error
        except Exception:  # whatever it is, the submission's deadline holds
            self._settlement.unscorable(submission.id, Cause.INFRASTRUCTURE)
            raise
        else:
            self._settlement.scored(submission.id, report)
            self._log.info("scored", submission=submission.id)
