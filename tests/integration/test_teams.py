"""Teams and tokens in a real database."""

from datetime import UTC, datetime

import pytest

from evalsvc.domain.errors import Conflict, InputError, NotFound
from evalsvc.store import teams
from evalsvc.store.session import Store
from evalsvc.store.tables import Token

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_a_token_speaks_for_its_team_until_it_is_revoked(store: Store) -> None:
    with store.begin() as session:
        team = teams.create_team(session, "lovelace", NOW)
        clear = teams.issue_token(session, team, "first", NOW)
    with store.begin() as session:
        found = teams.team_of_token(session, clear)
        assert found is not None
        assert found.name == "lovelace"
        assert teams.revoke_tokens(session, found, NOW) == 1
    with store.read() as session:
        assert teams.team_of_token(session, clear) is None


def test_the_token_itself_is_not_in_the_database(store: Store) -> None:
    with store.begin() as session:
        team = teams.create_team(session, "lovelace", NOW)
        clear = teams.issue_token(session, team, "first", NOW)
    with store.read() as session:
        row = session.get(Token, 1)
        assert row is not None
        assert clear not in {str(getattr(row, column.name)) for column in Token.__table__.columns}


@pytest.mark.parametrize("name", ["", "a", "A-team", "über", "a b", "-a", "a-", "x" * 41, "a/b", "a_b", "../x"])
def test_names_that_are_refused(store: Store, name: str) -> None:
    with pytest.raises(InputError, match="cannot be a team's name"), store.begin() as session:
        teams.create_team(session, name, NOW)


def test_a_name_can_be_taken_once(store: Store) -> None:
    with store.begin() as session:
        teams.create_team(session, "lovelace", NOW)
    with pytest.raises(Conflict, match="lovelace"), store.begin() as session:
        teams.create_team(session, "lovelace", NOW)


def test_teams_are_listed_with_their_usable_tokens(store: Store) -> None:
    with store.begin() as session:
        teams.create_team(session, "noether", NOW)
        team = teams.create_team(session, "curie", NOW)
        teams.issue_token(session, team, "first", NOW)
    with store.read() as session:
        assert [(team.name, count) for team, count in teams.list_teams(session)] == [("curie", 1), ("noether", 0)]
        with pytest.raises(NotFound, match="meitner"):
            teams.team_named(session, "meitner")
