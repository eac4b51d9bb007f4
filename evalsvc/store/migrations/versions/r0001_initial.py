"""The tables of the first version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything; constraints are named by the metadata's naming convention."""
    _create_datasets()
    _create_teams()
    _create_submissions()
    _create_attempts()
    _create_quota_and_scores()


def _instant(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _submission_id() -> sa.Column[str]:
    return sa.Column("submission_id", sa.String(16), sa.ForeignKey("submission.id"), nullable=False)


def _create_datasets() -> None:
    op.create_table(
        "dataset",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("synthetic", sa.Boolean, nullable=False),
        sa.Column("images", sa.JSON, nullable=False),
        _instant("imported_at"),
    )


def _create_teams() -> None:
    op.create_table(
        "team",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        _instant("created_at"),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("team_id", sa.Integer, sa.ForeignKey("team.id"), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        _instant("created_at"),
        _instant("revoked_at", nullable=True),
    )


def _create_submissions() -> None:
    op.create_table(
        "submission",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("team_id", sa.Integer, sa.ForeignKey("team.id"), nullable=False),
        sa.Column("dataset_id", sa.Integer, sa.ForeignKey("dataset.id"), nullable=False),
        sa.Column("image", sa.String(512), nullable=False),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(24)),
        sa.Column("reason", sa.Text, nullable=False),
        _instant("created_at"),
        _instant("changed_at"),
        _instant("cancel_at", nullable=True),
    )
    op.create_index("ix_submission_team_created", "submission", ["team_id", "created_at"])
    op.create_index("ix_submission_same", "submission", ["team_id", "dataset_id", "digest"])
    op.create_index("ix_submission_state", "submission", ["state"])
    op.create_table(
        "event",
        sa.Column("id", sa.Integer, primary_key=True),
        _submission_id(),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(24)),
        sa.Column("reason", sa.Text, nullable=False),
        _instant("at"),
    )
    op.create_index("ix_event_submission", "event", ["submission_id"])


def _create_attempts() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.String(32), primary_key=True),
        _submission_id(),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name_key", sa.LargeBinary(32), nullable=False),
        _instant("created_at"),
        _instant("dispatched_at", nullable=True),
        _instant("seen_at", nullable=True),
        _instant("ended_at", nullable=True),
        sa.Column("cause", sa.String(24)),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("predictions", sa.String(64)),
        sa.Column("log", sa.String(64)),
        _instant("deleted_at", nullable=True),
        sa.UniqueConstraint("submission_id", "kind", "number"),
    )
    op.create_index("ix_attempt_open", "attempt", ["ended_at"])


def _create_quota_and_scores() -> None:
    op.create_table(
        "quota_slot",
        sa.Column("team_id", sa.Integer, sa.ForeignKey("team.id"), primary_key=True),
        sa.Column("window", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("submission_id", sa.String(16), sa.ForeignKey("submission.id"), nullable=False, unique=True),
    )
    op.create_table(
        "score",
        sa.Column("id", sa.Integer, primary_key=True),
        _submission_id(),
        sa.Column("scorer_version", sa.String(32), nullable=False),
        sa.Column("headline", sa.Double),
        sa.Column("report", sa.JSON, nullable=False),
        _instant("created_at"),
        sa.UniqueConstraint("submission_id", "scorer_version"),
    )
