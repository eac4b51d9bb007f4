"""What to do about an attempt, given its row and what the executor shows: a pure function of both.

The worker calls `decide` on every unfinished attempt at every tick and carries out the answer.  All waiting, all
recovery after a crash and all deadlines are here; nothing depends on what a worker remembers.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Observation, Phase

STAGING_GRACE = timedelta(minutes=10)
"""What a job may take beside the submission's own wall time: copying images, pulling, collecting."""
MISSING_GRACE = timedelta(seconds=10)
"""How long a job that was seen before may be missing from the executor's list before it counts as lost."""
COLLECT_PATIENCE = timedelta(days=1)
"""How long past its deadline a finished job may resist being collected; a worker may have been away."""
QUEUE_PATIENCE = timedelta(days=7)
"""How long an attempt may wait for its turn."""

SCORING_PATIENCE = timedelta(days=1)
"""How long predictions wait for a scorer that cannot score, before the evaluation is given back."""


@dataclass(frozen=True)
class AttemptRow:
    """The part of an attempt's row that decides; `wall_time` in seconds, `missing_since` as the worker saw it.

    `number` counts the tries (from 1); `cancel_at` is when the team's wish to cancel takes effect.
    """

    created_at: datetime
    wall_time: float
    dispatched_at: datetime | None = None
    seen_at: datetime | None = None
    ended_at: datetime | None = None
    missing_since: datetime | None = None
    cancel_at: datetime | None = None
    number: int = 1


@dataclass(frozen=True)
class Wait:
    """Nothing to do now."""


@dataclass(frozen=True)
class Queue:
    """Not dispatched: may be started when there is room."""


@dataclass(frozen=True)
class Create:
    """Dispatched, but never seen or not complete: make the job exist (again)."""


@dataclass(frozen=True)
class Collect:
    """The job ended well: fetch its predictions."""


@dataclass(frozen=True)
class Fail:
    """The attempt ended for `cause`; `detail` is for maintainers."""

    cause: Cause
    detail: str


@dataclass(frozen=True)
class Cancel:
    """Its team wants it ended."""


@dataclass(frozen=True)
class Delete:
    """The row has ended: remove what is left of the job."""


Action = Wait | Queue | Create | Collect | Fail | Cancel | Delete


def decide(row: AttemptRow, seen: Observation | None, now: datetime) -> Action:
    """The next action for one attempt."""
    if row.ended_at is not None:
        return Delete()
    if row.cancel_at is not None and now >= row.cancel_at and not _finished_by(row.cancel_at, seen):
        return Cancel()
    if row.dispatched_at is None:
        return _waiting_for_its_turn(row, now)
    if seen is None:
        return _missing(row, now)
    if seen.phase is Phase.FINISHED:
        return _finished(row, seen, now)
    if seen.phase is Phase.RUNNING and seen.started_at is not None:
        return _running(row, seen.started_at, now)
    if now > deadline(row):
        return Fail(Cause.INFRASTRUCTURE, f"still {seen.phase} after its deadline: {seen.detail}")
    return Create() if seen.phase is Phase.WAITING else Wait()


def _finished_by(instant: datetime, seen: Observation | None) -> bool:
    if seen is None or seen.phase is not Phase.FINISHED:
        return False
    return seen.finished_at is None or seen.finished_at <= instant


def _finished(row: AttemptRow, seen: Observation, now: datetime) -> Action:
    if seen.cause is not None:
        return Fail(seen.cause, seen.detail)
    if now > deadline(row) + COLLECT_PATIENCE:
        return Fail(Cause.INFRASTRUCTURE, "its predictions could not be collected")
    return Collect()


def _running(row: AttemptRow, started_at: datetime, now: datetime) -> Action:
    """The submission's own time counts, not the job's: too long is too long, even if nobody looked."""
    if now > started_at + timedelta(seconds=row.wall_time) + STAGING_GRACE:
        return Fail(Cause.TIMED_OUT, f"ran for more than {row.wall_time:g} s and was not ended by the executor")
    return Wait()


def deadline(row: AttemptRow) -> datetime:
    """The instant at which the attempt fails (as the platform's fault) if nothing has happened."""
    if row.dispatched_at is None:
        return row.created_at + QUEUE_PATIENCE
    return row.dispatched_at + timedelta(seconds=row.wall_time) + STAGING_GRACE


def _waiting_for_its_turn(row: AttemptRow, now: datetime) -> Action:
    if now > deadline(row):
        return Fail(Cause.INFRASTRUCTURE, f"waited in the queue for more than {QUEUE_PATIENCE.days} days")
    return Queue() if now >= row.created_at + pause_before(row.number) else Wait()


def pause_before(number: int) -> timedelta:
    """How long the platform rests before a rerun: what has just failed often fails again at once."""
    return timedelta(seconds=0 if number == 1 else 10 * 6 ** min(number - 2, 3))


def _missing(row: AttemptRow, now: datetime) -> Action:
    if row.seen_at is None:
        if now > deadline(row):
            return Fail(Cause.INFRASTRUCTURE, "the job could not be made before its deadline")
        return Create()
    if row.missing_since is not None and now - row.missing_since > MISSING_GRACE:
        return Fail(Cause.INFRASTRUCTURE, "the job vanished")
    return Wait()
