"""A team's evaluations per window, held by unique slot rows: two requests cannot take the same slot."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from evalsvc.domain.errors import QuotaExceeded
from evalsvc.store.tables import QuotaSlot


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
