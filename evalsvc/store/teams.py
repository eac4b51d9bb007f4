"""Teams and their bearer tokens."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evalsvc.domain.errors import Conflict, InputError, NotFound
from evalsvc.store.tables import Team, Token

TOKEN_PREFIX = "evs_"  # noqa: S105 - the visible start of every token, so that a leaked one can be found
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def create_team(session: Session, name: str, now: datetime) -> Team:
    """Raises `InputError` for a name that could not be a registry path, `Conflict` for one that is taken."""
    if not 2 <= len(name) <= 40 or not set(name) <= _NAME_CHARACTERS or name.strip("-") != name:
        raise InputError(
            f"{name!r} cannot be a team's name: use 2 to 40 lower-case letters, digits and inner hyphens."
        )
    if session.scalar(select(Team).where(Team.name == name)) is not None:
        raise Conflict(f"There is a team {name!r} already; choose another name.")
    team = Team(name=name, created_at=now)
    session.add(team)
    session.flush()
    return team


def team_named(session: Session, name: str) -> Team:
    team = session.scalar(select(Team).where(Team.name == name))
    if team is None:
        raise NotFound(f"There is no team {name!r}; `evalsvc admin team list` shows those there are.")
    return team


def list_teams(session: Session) -> Sequence[tuple[Team, int]]:
    """Every team by name, with how many usable tokens it has."""
    usable = func.count(Token.id).filter(Token.revoked_at.is_(None))
    query = select(Team, usable).outerjoin(Token).group_by(Team.id).order_by(Team.name)
    return [(team, count) for team, count in session.execute(query).all()]


def issue_token(session: Session, team: Team, label: str, now: datetime) -> str:
    """A new token in clear, which exists nowhere else: the store keeps its SHA-256."""
    clear = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(Token(team_id=team.id, label=label, sha256=_digest(clear), created_at=now))
    return clear


def revoke_tokens(session: Session, team: Team, now: datetime) -> int:
    """Revoke all tokens of a team at once; how many there were."""
    tokens = session.scalars(select(Token).where(Token.team_id == team.id, Token.revoked_at.is_(None))).all()
    for token in tokens:
        token.revoked_at = now
    return len(tokens)


def team_of_token(session: Session, clear: str) -> Team | None:
    """The team a token speaks for; None when it is unknown or revoked."""
    query = select(Token).where(Token.sha256 == _digest(clear), Token.revoked_at.is_(None))
    token = session.scalar(query)
    return None if token is None else token.team


def _digest(clear: str) -> str:
    # The token has 256 random bits, so a plain hash is enough: there is nothing to guess.
    return hashlib.sha256(clear.encode()).hexdigest()
