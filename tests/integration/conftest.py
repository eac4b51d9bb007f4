"""A real database with the real migrations, and rows to begin with."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evalsvc.store import migrate, teams
from evalsvc.store.session import Store, create_store_engine, sqlite_url
from evalsvc.store.tables import Dataset, Team

EARLY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    engine = create_store_engine(sqlite_url(tmp_path / "evalsvc.db"))
    migrate.upgrade(engine)
    store = Store(engine)
    yield store
    store.close()


@pytest.fixture
def team(store: Store) -> Team:
    with store.begin() as session:
        return teams.create_team(session, "lovelace", EARLY)


@pytest.fixture
def dataset(store: Store) -> Dataset:
    """A row of a data set whose files no test of the rows looks at."""
    with store.begin() as session:
        row = Dataset(version="0" * 64, name="stand-in", synthetic=True, images={}, imported_at=EARLY)
        session.add(row)
    return row
