"""Submissions, their history and their attempts: every query and every change of state."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from evalsvc.domain.disclosure import StateChange
from evalsvc.domain.errors import Conflict, NotFound
from evalsvc.domain.submission import FREE_TO_CANCEL, TRANSITIONS, Cause, Kind, State
from evalsvc.store.quota import release_slot
from evalsvc.store.tables import Attempt, Dataset, Event, Submission

_ID_CHARACTERS = "abcdefghjkmnpqrstvwxyz23456789"  # no look-alikes: people read these aloud
_QUEUED_STATES = (State.TRIAL_QUEUED, State.QUEUED)


@dataclass(frozen=True)
class End:
    """How an attempt ended; `predictions` and `log` are names in the blob folder."""

    at: datetime
    cause: Cause | None = None
    detail: str = ""
    predictions: str | None = None
    log: str | None = None


def add_submission(
    session: Session, team_id: int, dataset: Dataset, image: str, digest: str, now: datetime
) -> Submission:
    """A new submission with its first trial attempt, in the trial's queue."""
    submission = Submission(
        id="".join(secrets.choice(_ID_CHARACTERS) for _ in range(8)),
        team_id=team_id,
        dataset_id=dataset.id,
        image=image,
        digest=digest,
        state=State.RECEIVED,
        created_at=now,
        changed_at=now,
    )
    session.add(submission)
    session.flush()
    session.add(Event(submission_id=submission.id, state=State.RECEIVED, at=now))
    enter(session, submission, State.TRIAL_QUEUED, now)
    add_attempt(session, submission, Kind.TRIAL, now)
    session.refresh(submission)
    return submission


def enter(
    session: Session,
    submission: Submission,
    state: State,
    now: datetime,
    cause: Cause | None = None,
    reason: str = "",
) -> None:
    """Move a submission to another state, note it in its history, and settle its quota slot.

    `reason` is shown to the participant.  Raises `Conflict` for a step that `TRANSITIONS` does not have.
    """
    if state not in TRANSITIONS[submission.state]:
        raise Conflict(f"Submission {submission.id} is {submission.state} and cannot become {state}.")
    _settle(session, submission, state, cause)
    submission.state, submission.cause, submission.reason, submission.changed_at = state, cause, reason, now
    session.add(Event(submission_id=submission.id, state=state, cause=cause, reason=reason, at=now))
    session.flush()


def _settle(session: Session, submission: Submission, state: State, cause: Cause | None) -> None:
    """The one place that decides who pays: a failure by its cause, a cancel by what it interrupts."""
    unpaid_failure = state is State.FAILED and cause is not None and not cause.charged
    free_cancel = state is State.CANCELLED and submission.state in FREE_TO_CANCEL
    if unpaid_failure or free_cancel:
        release_slot(session, submission.id)


def add_attempt(session: Session, submission: Submission, kind: Kind, now: datetime) -> Attempt:
    """The next attempt of a kind, with fresh names for the images it will see."""
    number = 1 + (
        session.scalar(
            select(func.max(Attempt.number)).where(Attempt.submission_id == submission.id, Attempt.kind == kind)
        )
        or 0
    )
    attempt = Attempt(
        id=uuid.uuid4().hex,
        submission_id=submission.id,
        kind=kind,
        number=number,
        name_key=secrets.token_bytes(32),
        created_at=now,
    )
    session.add(attempt)
    session.flush()
    return attempt


def end_attempt(attempt: Attempt, end: End) -> None:
    """Note how an attempt ended.  Raises `Conflict` when it has ended before: nothing ends twice."""
    if attempt.ended_at is not None:
        raise Conflict(f"Attempt {attempt.id} has ended already.")
    attempt.ended_at, attempt.cause, attempt.detail = end.at, end.cause, end.detail
    attempt.predictions, attempt.log = end.predictions, end.log


def cancel(session: Session, submission: Submission, now: datetime) -> None:
    """End a submission, and the attempt under way, for its team's wish."""
    attempt = open_attempt(session, submission)
    if attempt is not None:
        end_attempt(attempt, End(now, detail="cancelled by its team"))
    enter(session, submission, State.CANCELLED, now)


def submission_of(session: Session, submission_id: str, team_id: int | None = None) -> Submission:
    """A submission by its id.  Another team's does not exist: `NotFound` either way."""
    submission = session.get(Submission, submission_id)
    if submission is None or (team_id is not None and submission.team_id != team_id):
        raise NotFound(f"There is no submission {submission_id!r}; `evalsvc status` lists yours.")
    return submission


def submissions_of(session: Session, team_id: int, limit: int = 100) -> Sequence[Submission]:
    """A team's submissions, newest first."""
    query = select(Submission).where(Submission.team_id == team_id)
    return session.scalars(query.order_by(Submission.created_at.desc(), Submission.id).limit(limit)).all()


def earlier_answer(session: Session, team_id: int, dataset_id: int, digest: str) -> Submission | None:
    """The team's submission of the very same image on the same data that is under way, scored, or paid for."""
    settled_for_free = [cause for cause in Cause if not cause.charged]
    query = select(Submission).where(
        Submission.team_id == team_id,
        Submission.dataset_id == dataset_id,
        Submission.digest == digest,
        Submission.state != State.CANCELLED,
        or_(Submission.cause.is_(None), Submission.cause.not_in(settled_for_free)),
    )
    return session.scalar(query.order_by(Submission.created_at.desc()).limit(1))


def histories(session: Session, submission_ids: Sequence[str]) -> dict[str, list[StateChange]]:
    """The history of each submission, oldest first."""
    found: dict[str, list[StateChange]] = {submission_id: [] for submission_id in submission_ids}
    query = select(Event).where(Event.submission_id.in_(submission_ids)).order_by(Event.id)
    for event in session.scalars(query):
        found[event.submission_id].append(StateChange(event.state, event.at, event.cause, event.reason))
    return found


def unfinished_attempts(session: Session) -> Sequence[Attempt]:
    """Attempts that have not ended, and ended ones whose job is still to be deleted; the oldest first."""
    query = select(Attempt).where(or_(Attempt.ended_at.is_(None), Attempt.deleted_at.is_(None)))
    return session.scalars(query.order_by(Attempt.created_at, Attempt.id)).all()


def evaluations_ended_since(session: Session, since: datetime) -> Sequence[datetime]:
    """When evaluations that had started ended, as far as that was after `since`."""
    query = select(Attempt.ended_at).where(
        Attempt.kind == Kind.EVALUATION, Attempt.ended_at > since, Attempt.dispatched_at.is_not(None)
    )
    return [at for at in session.scalars(query) if at is not None]


def open_attempt(session: Session, submission: Submission) -> Attempt | None:
    query = select(Attempt).where(Attempt.submission_id == submission.id, Attempt.ended_at.is_(None))
    return session.scalar(query)


def last_attempt(session: Session, submission_id: str, kind: Kind) -> Attempt | None:
    """The newest attempt of a kind that has ended."""
    query = select(Attempt).where(
        Attempt.submission_id == submission_id, Attempt.kind == kind, Attempt.ended_at.is_not(None)
    )
    return session.scalar(query.order_by(Attempt.number.desc()).limit(1))


def waiting_to_be_scored(session: Session) -> Sequence[Submission]:
    return session.scalars(select(Submission).where(Submission.state == State.SCORING)).all()


def queue_positions(session: Session) -> dict[str, int]:
    """Each queued submission's place (from 1) in the one queue, in the order in which attempts were made."""
    query = (
        select(Attempt.submission_id)
        .join(Submission)
        .where(Attempt.dispatched_at.is_(None), Attempt.ended_at.is_(None), Submission.state.in_(_QUEUED_STATES))
        .order_by(Attempt.created_at, Attempt.id)
    )
    return {submission_id: place for place, submission_id in enumerate(session.scalars(query), start=1)}
