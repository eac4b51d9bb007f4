"""Scores: written once, read by the report and the leaderboard."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from evalsvc.store.tables import Score, Submission


def add_score(
    session: Session, submission: Submission, version: str, report: dict[str, Any], now: datetime
) -> None:
    """Keep a report under the unique key (submission, scorer version); the key refuses a second one."""
    headline = report["private"]["rank"]["tau_b"]["value"]
    session.add(
        Score(
            submission_id=submission.id,
            scorer_version=version,
            headline=headline,
            report=report,
            created_at=now,
        )
    )
    session.flush()


def score_of(session: Session, submission_id: str) -> Score | None:
    """The newest score of a submission."""
    query = select(Score).where(Score.submission_id == submission_id)
    return session.scalar(query.order_by(Score.id.desc()).limit(1))


def scores_on(session: Session, dataset_id: int, until: datetime) -> Sequence[Score]:
    """Scores with a headline on one data set version that were made at or before `until`, best first."""
    query = (
        select(Score)
        .join(Submission)
        .where(Submission.dataset_id == dataset_id, Score.created_at <= until, Score.headline.is_not(None))
        .order_by(Score.headline.desc(), Score.created_at)
    )
    return session.scalars(query).all()
