"""From rows to what a participant may see: the only way a row reaches the wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from evalsvc.api.schemas import (
    DatasetView,
    HistoryEntry,
    Leaderboard,
    LeaderboardRow,
    QuotaView,
    ReportView,
    SubmissionView,
)
from evalsvc.domain.disclosure import StateChange, shown_at, visible_history
from evalsvc.domain.errors import NotFound
from evalsvc.domain.submission import State
from evalsvc.lifecycle import QUEUE_PATIENCE, SCORING_PATIENCE, STAGING_GRACE
from evalsvc.store import quota, scores, submissions
from evalsvc.store.datasets import current_dataset
from evalsvc.store.tables import Dataset, Score, Submission, Team

UNISOLATED_NOTICE = (
    "This service runs submissions without isolation (process executor): it holds synthetic data only."
)


@dataclass(frozen=True)
class ViewRules:
    """`step` as in `disclosure`; wall times in seconds; `limit` evaluations a window."""

    step: float
    wall_time: float
    trial_wall_time: float
    limit: int
    isolated: bool

    @property
    def notice(self) -> str:
        return "" if self.isolated else UNISOLATED_NOTICE


def submission_views(
    session: Session, rows: Sequence[Submission], rules: ViewRules, now: datetime
) -> list[SubmissionView]:
    """The submissions as their team may see them at `now`."""
    ids = [row.id for row in rows]
    histories, holders = submissions.histories(session, ids), quota.holders(session, ids)
    places = submissions.queue_positions(session)
    return [
        _view(
            row,
            Shown(visible_history(histories[row.id], now, rules.step), row.id in holders, places.get(row.id)),
            rules,
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Shown:
    """What of a submission may be seen now: its history, whether it holds a slot, its place in the queue."""

    history: list[StateChange]
    holds_slot: bool
    place: int | None


def _view(row: Submission, shown: Shown, rules: ViewRules) -> SubmissionView:
    last = shown.history[-1]
    return SubmissionView(
        id=row.id,
        image=row.image,
        digest=row.digest,
        dataset=dataset_view(row.dataset),
        state=last.state,
        cause=last.cause,
        reason=last.reason,
        created_at=row.created_at,
        changed_at=last.at,
        deadline=_deadline(last, rules),
        queue_position=shown.place if last.state in {State.TRIAL_QUEUED, State.QUEUED} else None,
        charged=_charged(last, shown.holds_slot),
        cancel_at=None if last.state.ended else row.cancel_at,
        history=[HistoryEntry(state=h.state, at=h.at, cause=h.cause, reason=h.reason) for h in shown.history],
        notice=rules.notice,
    )


def _charged(last: StateChange, holds_slot: bool) -> bool:
    """As far as the reader may see: an end that is not shown yet has not given anything back."""
    if last.state is State.FAILED:
        return last.cause is not None and last.cause.charged
    return holds_slot if last.state is State.CANCELLED else True


def _deadline(change: StateChange, rules: ViewRules) -> datetime | None:
    patience = {
        State.RECEIVED: QUEUE_PATIENCE,
        State.TRIAL_QUEUED: QUEUE_PATIENCE,
        State.TRIAL_RUNNING: timedelta(seconds=rules.trial_wall_time) + STAGING_GRACE,
        State.QUEUED: QUEUE_PATIENCE,
        State.RUNNING: timedelta(seconds=rules.wall_time) + STAGING_GRACE,
        State.SCORING: SCORING_PATIENCE,
    }.get(change.state)
    return None if patience is None else change.at + patience


def dataset_view(row: Dataset) -> DatasetView:
    return DatasetView(name=row.name, version=row.version, synthetic=row.synthetic)


def quota_view(session: Session, team: Team, rules: ViewRules, now: datetime) -> QuotaView:
    used = len(quota.used_slots(session, team.id, now))
    left = max(rules.limit - used, 0)
    return QuotaView(
        team=team.name,
        limit=rules.limit,
        used=used,
        left=left,
        next_slot=now if left else quota.next_window(now),
        notice=rules.notice,
    )


def report_view(session: Session, row: Submission, rules: ViewRules, now: datetime) -> ReportView:
    """The report, once its time has come.  Raises `NotFound` before, saying where the submission stands."""
    view = submission_views(session, [row], rules, now)[0]
    score = scores.score_of(session, row.id) if view.state is State.SCORED else None
    if score is None:
        raise NotFound(f"Submission {row.id} has no report; its state is {view.state}. {view.reason}".strip())
    return ReportView(
        id=row.id,
        team=row.team.name,
        image=row.image,
        digest=row.digest,
        dataset=view.dataset,
        scored_at=view.changed_at,
        report=score.report,
        notice=rules.notice,
    )


def leaderboard_view(session: Session, rules: ViewRules, now: datetime) -> Leaderboard:
    """The best score of each team; equal scores share a rank."""
    dataset = current_dataset(session)
    best: dict[int, Score] = {}
    for score in scores.scores_on(session, dataset.id, now):
        if shown_at(score.created_at, rules.step) <= now:
            best.setdefault(score.submission.team_id, score)
    return Leaderboard(
        dataset=dataset_view(dataset), rows=_ranked(list(best.values()), rules), notice=rules.notice
    )


def _ranked(best: list[Score], rules: ViewRules) -> list[LeaderboardRow]:
    headlines = [score.headline or 0.0 for score in best]
    return [
        LeaderboardRow(
            rank=1 + sum(other > headline for other in headlines),
            team=score.submission.team.name,
            submission=score.submission.id,
            tau_b=headline,
            amae=score.report["private"]["rank"]["amae"]["value"],
            interval_cancer_auc=score.report["private"]["endpoints"]["interval_cancer"]["auc"]["value"],
            scored_at=shown_at(score.created_at, rules.step),
        )
        for score, headline in zip(best, headlines, strict=True)
    ]
