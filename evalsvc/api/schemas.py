"""What goes over the wire.  Shared by the server and the client, so it imports pydantic and the domain only."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from evalsvc.domain.submission import Cause, State


class Message(BaseModel):
    """A reply or request; unknown fields are refused, so that a typo is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SubmitRequest(Message):
    image: str = Field(min_length=1, max_length=512)


class ErrorBody(Message):
    """Every error: a stable word for programs and a sentence for people."""

    code: str
    message: str
    next_slot: datetime | None = None


class HistoryEntry(Message):
    state: State
    at: datetime
    cause: Cause | None = None
    reason: str = ""


class DatasetView(Message):
    name: str
    version: str
    synthetic: bool


class SubmissionView(Message):
    """A submission as its team may see it now.

    `deadline` is when the present state ends at the latest; `queue_position` counts from 1 in the one queue.
    `charged` says whether it holds one of the team's evaluations now; `cancel_at` when a cancel takes effect.
    `notice` says what the reader must know about this service (no isolation, say); `repeated` that the same image
    had been submitted before and this is that submission.
    """

    id: str
    image: str
    digest: str
    dataset: DatasetView
    state: State
    cause: Cause | None
    reason: str
    created_at: datetime
    changed_at: datetime
    deadline: datetime | None
    queue_position: int | None
    history: list[HistoryEntry]
    charged: bool
    cancel_at: datetime | None = None
    repeated: bool = False
    notice: str = ""


class SubmissionList(Message):
    submissions: list[SubmissionView]
    notice: str = ""


class LogView(Message):
    """What the trial printed; private runs have no log a participant can see."""

    id: str
    text: str


class ReportView(Message):
    """The score report of one submission; `report` is the scorer's JSON (docs/metrics.md)."""

    id: str
    team: str
    image: str
    digest: str
    dataset: DatasetView
    scored_at: datetime
    report: dict[str, Any]
    notice: str = ""


class QuotaView(Message):
    """Evaluations of the window: `next_slot` is now when one is left."""

    team: str
    limit: int
    used: int
    left: int
    next_slot: datetime
    notice: str = ""


class LeaderboardRow(Message):
    rank: int
    team: str
    submission: str
    tau_b: float
    amae: float | None
    interval_cancer_auc: float | None
    scored_at: datetime


class Leaderboard(Message):
    """The best score of each team on the newest data set version, by tau-b on the private ranks."""

    dataset: DatasetView
    rows: list[LeaderboardRow]
    notice: str = ""


class ServiceView(Message):
    """What a client may know without a token."""

    version: str
    executor: str
    isolated: bool
    notice: str = ""
