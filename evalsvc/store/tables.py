"""The tables.  Rows are the truth: what is not here did not happen."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from evalsvc.domain.submission import Cause, Kind, State


class UtcDateTime(TypeDecorator[datetime]):
    """An instant.  Stored in UTC, read back aware; a naive datetime is refused, for nobody knows what it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the store")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_CONSTRAINT_NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""A later migration can only change a constraint that has a name, the same one in every database."""


def words_of(members: type[StrEnum], length: int) -> Enum:
    """A column of an enumeration's values, as plain text in the database."""
    return Enum(members, native_enum=False, length=length, values_callable=lambda found: [m.value for m in found])


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=_CONSTRAINT_NAMES)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to declare it
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        State: words_of(State, 16),
        Cause: words_of(Cause, 24),
        Kind: words_of(Kind, 16),
    }


class Team(Base):
    """Who submits: quota, submissions and leaderboard entries belong to a team."""

    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]


class Token(Base):
    """A bearer token of a team; only its SHA-256 is kept."""

    __tablename__ = "token"
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    label: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    team: Mapped[Team] = relationship(lazy="joined")


class Dataset(Base):
    """A sealed version of the test images and labels; the files lie under `datasets/<version>` in the data folder.

    `images` counts the images of each split.  The newest row is the one that submissions are evaluated on.
    """

    __tablename__ = "dataset"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    synthetic: Mapped[bool]
    images: Mapped[dict[str, Any]]
    imported_at: Mapped[datetime]


class Submission(Base):
    """One image that a team asked to have evaluated, and how far it has come.

    `cancel_at` is when a cancel asked for during the private run takes effect.
    """

    __tablename__ = "submission"
    __table_args__ = (
        Index("ix_submission_team_created", "team_id", "created_at"),
        Index("ix_submission_same", "team_id", "dataset_id", "digest"),
        Index("ix_submission_state", "state"),
    )
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"))
    image: Mapped[str] = mapped_column(String(512))
    digest: Mapped[str] = mapped_column(String(128))
    state: Mapped[State]
    cause: Mapped[Cause | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    cancel_at: Mapped[datetime | None]
    team: Mapped[Team] = relationship(lazy="joined")
    dataset: Mapped[Dataset] = relationship(lazy="joined")


class Event(Base):
    """A state a submission entered; append-only."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_submission", "submission_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    state: Mapped[State]
    cause: Mapped[Cause | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]


class Attempt(Base):
    """One try of the executor at a submission's trial or evaluation; a rerun is a new row.

    `dispatched_at` is set before the executor is touched, so that a job without a dispatched row is an orphan;
    `seen_at` when the executor first showed the job, so that a job never made differs from one that vanished.
    `predictions` and `log` are SHA-256 names in the blob folder.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("submission_id", "kind", "number"),
        Index("ix_attempt_open", "ended_at"),
    )
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    kind: Mapped[Kind]
    number: Mapped[int]
    name_key: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]
    dispatched_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cause: Mapped[Cause | None]
    detail: Mapped[str] = mapped_column(Text, default="")
    predictions: Mapped[str | None] = mapped_column(String(64))
    log: Mapped[str | None] = mapped_column(String(64))
    deleted_at: Mapped[datetime | None]
    submission: Mapped[Submission] = relationship(lazy="joined")


class QuotaSlot(Base):
    """A team's n-th evaluation of a window.  The primary key is what makes overshoot impossible."""

    __tablename__ = "quota_slot"
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), primary_key=True)
    window: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), unique=True)


class Score(Base):
    """The result of a submission: unique, however often the scorer ran."""

    __tablename__ = "score"
    __table_args__ = (UniqueConstraint("submission_id", "scorer_version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    scorer_version: Mapped[str] = mapped_column(String(32))
    headline: Mapped[float | None] = mapped_column(Double)
    report: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    submission: Mapped[Submission] = relationship(lazy="joined")
