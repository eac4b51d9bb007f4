"""`decide` over every kind of row and every kind of observation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Observation, Phase
from evalsvc.lifecycle import (
    COLLECT_PATIENCE,
    MISSING_GRACE,
    QUEUE_PATIENCE,
    STAGING_GRACE,
    Action,
    AttemptRow,
    Cancel,
    Collect,
    Create,
    Delete,
    Fail,
    Queue,
    Wait,
    decide,
)

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WALL = 3600.0
LATEST = timedelta(seconds=WALL) + STAGING_GRACE

queued = AttemptRow(created_at=T0, wall_time=WALL)
dispatched = AttemptRow(created_at=T0, wall_time=WALL, dispatched_at=T0)
seen = AttemptRow(created_at=T0, wall_time=WALL, dispatched_at=T0, seen_at=T0)
missing = AttemptRow(created_at=T0, wall_time=WALL, dispatched_at=T0, seen_at=T0, missing_since=T0)
ended = AttemptRow(created_at=T0, wall_time=WALL, dispatched_at=T0, seen_at=T0, ended_at=T0)
never_ran = AttemptRow(created_at=T0, wall_time=WALL, ended_at=T0)


def started(after: timedelta) -> Observation:
    """A submission that began to run `after` the attempt's dispatch."""
    return Observation("a", Phase.RUNNING, started_at=T0 + after)


OVERRUN = Fail(Cause.TIMED_OUT, "ran for more than 3600 s and was not ended by the executor")


def again(number: int) -> AttemptRow:
    """A rerun in the queue."""
    return AttemptRow(created_at=T0, wall_time=WALL, number=number)


def wish(after: timedelta) -> AttemptRow:
    """A dispatched attempt that its team wants cancelled `after` its dispatch."""
    return replace(seen, cancel_at=T0 + after)


def finished(after: timedelta) -> Observation:
    return Observation("a", Phase.FINISHED, started_at=T0, finished_at=T0 + after)


def show(phase: Phase, cause: Cause | None = None) -> Observation:
    return Observation("a", phase, cause, "detail")


UNFINISHED = (Phase.WAITING, Phase.STAGING, Phase.RUNNING)

CASES: list[tuple[str, AttemptRow, Observation | None, timedelta, Action | type[Fail]]] = [
    ("queued", queued, None, SECOND, Queue()),
    ("queued too long", queued, None, QUEUE_PATIENCE + SECOND, Fail),
    ("rerun, resting", again(3), None, timedelta(seconds=59), Wait()),
    ("rerun, rested", again(3), None, timedelta(seconds=60), Queue()),
    ("cancel, not yet", wish(SECOND * 9), show(Phase.RUNNING), SECOND * 8, Wait()),
    ("cancel, now", wish(SECOND * 9), show(Phase.RUNNING), SECOND * 9, Cancel()),
    ("cancel, job missing", wish(SECOND * 9), None, SECOND * 9, Cancel()),
    ("cancel, but it has ended", wish(SECOND * 9), show(Phase.FINISHED), SECOND * 9, Collect()),
    ("cancel, it ended by then", wish(SECOND * 9), finished(SECOND * 9), SECOND * 10, Collect()),
    ("cancel, it ended after", wish(SECOND * 9), finished(SECOND * 10), SECOND * 11, Cancel()),
    ("the longest rest", again(10), None, timedelta(minutes=36), Queue()),
    ("cancel, back in the queue", replace(again(2), cancel_at=T0), None, SECOND, Cancel()),
    ("queued, a stray job of its name", queued, show(Phase.RUNNING), SECOND, Queue()),
    ("dispatched, not made", dispatched, None, SECOND, Create()),
    ("dispatched, not made in time", dispatched, None, LATEST + SECOND, Fail),
    ("seen, missing from one list", seen, None, SECOND, Wait()),
    ("missing for a moment", missing, None, MISSING_GRACE, Wait()),
    ("missing for good", missing, None, MISSING_GRACE + SECOND, Fail),
    ("finished well", seen, show(Phase.FINISHED), SECOND, Collect()),
    ("finished well, found late", seen, show(Phase.FINISHED), LATEST * 2, Collect()),
    ("finished well, never collected", seen, show(Phase.FINISHED), LATEST + COLLECT_PATIENCE + SECOND, Fail),
    ("its own time, not yet over", seen, started(LATEST), LATEST * 2, Wait()),
    ("its own time, over", seen, started(SECOND), LATEST + SECOND * 2, OVERRUN),
    ("ended, job there", ended, show(Phase.RUNNING), SECOND, Delete()),
    ("ended, job gone", ended, None, SECOND, Delete()),
    ("cancelled in the queue", never_ran, None, SECOND, Delete()),
    ("an interrupted create", seen, show(Phase.WAITING), LATEST, Create()),
    *[(f"{p}, in time", seen, show(p), LATEST, Wait()) for p in (Phase.STAGING, Phase.RUNNING)],
    *[(f"{p}, too long", seen, show(p), LATEST + SECOND, Fail) for p in UNFINISHED],
    *[(f"failed: {c}", seen, show(Phase.FINISHED, c), SECOND, Fail(c, "detail")) for c in Cause],
]


@pytest.mark.parametrize(
    ("row", "observed", "after", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_decide(
    row: AttemptRow, observed: Observation | None, after: timedelta, expected: Action | type[Fail]
) -> None:
    action = decide(row, observed, T0 + after)
    if expected is Fail:  # what the platform failed to do is the platform's fault
        assert isinstance(action, Fail)
        assert action.cause is Cause.INFRASTRUCTURE
    else:
        assert action == expected
