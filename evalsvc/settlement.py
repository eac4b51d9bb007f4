"""Every change the worker makes to a submission, each in one transaction that checks the row first.

The check (has this attempt ended? is the submission still in that state?) is what makes a cancel, a second worker
or a crash between two steps harmless: whoever comes second finds the row changed and does nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from evalsvc.domain.submission import EXPLANATIONS, Cause, Kind, State
from evalsvc.evaluation import Assignment
from evalsvc.lifecycle import SCORING_PATIENCE
from evalsvc.scoring.report import SCORER_VERSION
from evalsvc.store import scores, submissions
from evalsvc.store.session import Store
from evalsvc.store.submissions import End
from evalsvc.store.tables import Attempt, Submission

_RUNNING = {Kind.TRIAL: State.TRIAL_RUNNING, Kind.EVALUATION: State.RUNNING}
_WAITING = {Kind.TRIAL: State.TRIAL_QUEUED, Kind.EVALUATION: State.QUEUED}


@dataclass(frozen=True)
class Evidence:
    """Why an attempt failed.  `reason` is for the participant and is used for trials only; `detail` is not."""

    cause: Cause
    detail: str
    reason: str = ""
    log: str | None = None


def assignment_of(attempt: Attempt) -> Assignment:
    submission = attempt.submission
    return Assignment(attempt.id, attempt.kind, submission.digest, submission.dataset.version, attempt.name_key)


class Settlement:
    """The worker's hand on the rows; `retries` counts reruns after failures of the platform."""

    def __init__(self, store: Store, retries: int, clock: Callable[[], datetime]) -> None:
        self._store, self._retries, self._clock = store, retries, clock

    def dispatch(self, attempt_id: str) -> bool:
        """Note the intent to run before the executor is touched; False when the attempt is no longer wanted."""
        with self._open(attempt_id) as (session, attempt):
            if attempt is None or attempt.dispatched_at is not None:
                return False
            attempt.dispatched_at = self._clock()
            submissions.enter(session, attempt.submission, _RUNNING[attempt.kind], attempt.dispatched_at)
            return True

    def seen(self, attempt_ids: Sequence[str]) -> None:
        """Note that the executor has shown these jobs, so that one that vanishes is not simply made again."""
        with self._store.begin() as session:
            for attempt_id in attempt_ids:
                attempt = session.get(Attempt, attempt_id)
                if attempt is not None and attempt.seen_at is None:
                    attempt.seen_at = self._clock()

    def trial_passed(self, attempt_id: str, log: str) -> None:
        """The trial is over; the same transaction queues the evaluation."""
        with self._open(attempt_id) as (session, attempt):
            if attempt is None:
                return
            now = self._clock()
            submissions.end_attempt(attempt, End(now, log=log))
            submissions.enter(session, attempt.submission, State.QUEUED, now)
            submissions.add_attempt(session, attempt.submission, Kind.EVALUATION, now)

    def collected(self, attempt_id: str, predictions: str, log: str) -> None:
        """The predictions of an evaluation are stored under this name; what is left is to score them."""
        with self._open(attempt_id) as (session, attempt):
            if attempt is None:
                return
            now = self._clock()
            submissions.end_attempt(attempt, End(now, predictions=predictions, log=log))
            submissions.enter(session, attempt.submission, State.SCORING, now)

    def failed(self, attempt_id: str, evidence: Evidence) -> None:
        """The attempt failed: rerun it if that was the platform's fault and not too often, else end there."""
        with self._open(attempt_id) as (session, attempt):
            if attempt is None:
                return
            now = self._clock()
            submissions.end_attempt(attempt, End(now, evidence.cause, evidence.detail, log=evidence.log))
            if evidence.cause is Cause.INFRASTRUCTURE and attempt.number <= self._retries:
                self._rerun(session, attempt, now)
            else:
                self._fail(session, attempt, evidence, now)

    def _rerun(self, session: Session, attempt: Attempt, now: datetime) -> None:
        reason = (
            f"The service failed, not the model: rerun {attempt.number} of at most {self._retries}, at no charge."
        )
        if attempt.dispatched_at is not None:
            submissions.enter(session, attempt.submission, _WAITING[attempt.kind], now, reason=reason)
        submissions.add_attempt(session, attempt.submission, attempt.kind, now)

    def _fail(self, session: Session, attempt: Attempt, evidence: Evidence, now: datetime) -> None:
        cause, reason = evidence.cause, EXPLANATIONS[evidence.cause]
        if attempt.kind is Kind.TRIAL:
            reason = evidence.reason or reason
            cause = Cause.TRIAL_FAILED if cause.charged else cause
        submissions.enter(session, attempt.submission, State.FAILED, now, cause, reason)

    def cancelled(self, attempt_id: str) -> None:
        """The team's wish to cancel a private run takes effect; what was charged stays charged."""
        with self._open(attempt_id) as (session, attempt):
            if attempt is not None:
                submissions.cancel(session, attempt.submission, self._clock())

    def scored(self, submission_id: str, report: dict[str, Any]) -> None:
        """The score, its place on the leaderboard and the end of the submission, in one transaction."""
        with self._in_scoring(submission_id) as (session, submission):
            if submission is None:
                return
            now = self._clock()
            scores.add_score(session, submission, SCORER_VERSION, report, now)
            submissions.enter(session, submission, State.SCORED, now)

    def unscorable(self, submission_id: str, cause: Cause) -> None:
        """The predictions cannot be scored: by their own fault, or because the scorer could not for too long."""
        with self._in_scoring(submission_id) as (session, submission):
            if submission is None:
                return
            now = self._clock()
            waits = cause is Cause.INFRASTRUCTURE and now - submission.changed_at < SCORING_PATIENCE
            if not waits:
                submissions.enter(session, submission, State.FAILED, now, cause, EXPLANATIONS[cause])

    def deleted(self, attempt_id: str) -> None:
        """Nothing of the job is left."""
        with self._store.begin() as session:
            attempt = session.get(Attempt, attempt_id)
            if attempt is not None:
                attempt.deleted_at = self._clock()

    @contextmanager
    def _open(self, attempt_id: str) -> Iterator[tuple[Session, Attempt | None]]:
        with self._store.begin() as session:
            attempt = session.get(Attempt, attempt_id)
            yield session, attempt if attempt is not None and attempt.ended_at is None else None

    @contextmanager
    def _in_scoring(self, submission_id: str) -> Iterator[tuple[Session, Submission | None]]:
        with self._store.begin() as session:
            submission = session.get(Submission, submission_id)
            yield session, submission if submission and submission.state is State.SCORING else None
