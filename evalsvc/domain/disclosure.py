"""What a participant may see of a run on the private images, and when.

A model decides how long it runs, so the length of a private run could carry what it saw.  Whatever happens once
the private images are touched is therefore shown at the next multiple of a step: an observer who polls learns
the length only to that step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from evalsvc.domain.submission import Cause, State


@dataclass(frozen=True)
class StateChange:
    """A state a submission entered, and the instant (aware) at which it did or is shown to."""

    state: State
    at: datetime
    cause: Cause | None = None
    reason: str = ""


def shown_at(at: datetime, step: float) -> datetime:
    """`at` rounded up to a multiple of `step` seconds since the epoch (UTC); a step of 0 rounds nothing."""
    if step <= 0:
        return at
    return datetime.fromtimestamp(math.ceil(at.timestamp() / step) * step, UTC)


def visible_history(history: Sequence[StateChange], now: datetime, step: float) -> list[StateChange]:
    """The part of `history` (oldest first) that a participant may see at `now`, with the times she may see.

    After the first RUNNING, times are rounded up to `step` and a change is hidden until its rounded time has come.
    A cancel is the participant's own act and is shown at once.
    """
    visible: list[StateChange] = []
    private = False
    for change in history:
        rounded = private and change.state is not State.CANCELLED
        at = shown_at(change.at, step) if rounded else change.at
        if at <= now or not rounded:
            visible.append(replace(change, at=at))
        private = private or change.state is State.RUNNING
    return visible
