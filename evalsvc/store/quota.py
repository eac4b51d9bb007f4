"""A team's evaluations per window, held by unique slot rows: two requests cannot take the same slot."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from evalsvc.domain.errors import QuotaExceeded
from evalsvc.store.tables import QuotaSlot, Submission


def window_of(now: datetime) -> str:
    """The window an instant belongs to: its day in UTC."""
    return now.astimezone(UTC).date().isoformat()


def next_window(now: datetime) -> datetime:
    """The instant (UTC) at which the next window begins."""
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), UTC)


def used_slots(session: Session, team_id: int, now: datetime) -> Sequence[int]:
    """The slot numbers (from 1) a team has taken in the window of `now`."""
    query = select(QuotaSlot.number).where(QuotaSlot.team_id == team_id, QuotaSlot.window == window_of(now))
    return session.scalars(query).all()


def holders(session: Session, submission_ids: Sequence[str]) -> set[str]:
    """Those of the submissions that hold a slot."""
    query = select(QuotaSlot.submission_id).where(QuotaSlot.submission_id.in_(submission_ids))
    return set(session.scalars(query))


def check_allowance(session: Session, team_id: int, allowance: int, now: datetime) -> None:
    """Raise `QuotaExceeded` when the team has made its submissions of the day, whatever became of them.

    What costs nothing (a failed trial, a cancel) still takes its turn in the queue.
    """
    start = next_window(now) - timedelta(days=1)
    query = select(func.count(Submission.id)).where(Submission.team_id == team_id, Submission.created_at >= start)
    if (session.scalar(query) or 0) >= allowance:
        instant = next_window(now)
        raise QuotaExceeded(
            f"Your team has made {allowance} submissions today, which is all it may, trials included. It may "
            f"submit again at {instant:%Y-%m-%d %H:%M:%S} UTC; `evalsvc try` has no limit.",
            instant,
        )


def reserve_slot(session: Session, team_id: int, submission_id: str, limit: int, now: datetime) -> None:
    """Take the lowest free slot, or raise `QuotaExceeded`.  The table's key refuses what a race lets through."""
    taken = set(used_slots(session, team_id, now))
    free = next((number for number in range(1, limit + 1) if number not in taken), None)
    if free is None:
        instant = next_window(now)
        raise QuotaExceeded(
            f"Your team has used all {limit} evaluations of today. The next one is free at "
            f"{instant:%Y-%m-%d %H:%M:%S} UTC; nothing was charged for this request.",
            instant,
        )
    session.add(QuotaSlot(team_id=team_id, window=window_of(now), number=free, submission_id=submission_id))
    session.flush()


def release_slot(session: Session, submission_id: str) -> None:
    """Give a submission's slot back; one that holds none (released before) is fine."""
    session.execute(delete(QuotaSlot).where(QuotaSlot.submission_id == submission_id))
