"""A real database with the real migrations, and rows to begin with."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evalsvc.store import migrate, teams
from evalsvc.store.datasets import import_dataset
from evalsvc.store.sealing import seal
from evalsvc.store.session import Store, create_store_engine, sqlite_url
from evalsvc.store.tables import Dataset, Team
from tests.integration.published_files import make_published, mark_synthetic
from tests.integration.service import PRIVATE, PUBLIC, Clock, Service

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


@pytest.fixture
def service(tmp_path: Path, store: Store, team: Team) -> Iterator[Service]:
    """A synthetic data set sealed in a data folder, and a team that may submit to it."""
    source = make_published(tmp_path / "published", public=PUBLIC, private=PRIVATE)
    mark_synthetic(source)
    data = tmp_path / "data"
    with store.begin() as session:
        import_dataset(session, seal(source, data), "stand-in", EARLY)
    service = Service(data, store, team, Clock())
    yield service
    for seen in service.executor.observe():
        service.executor.delete(seen.attempt_id)
    service.executor.close()
