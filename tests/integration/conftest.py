"""What the integration tests share: a real database, a small service, a place for Docker jobs, the wheel."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import docker
import pytest

from evalsvc.store import migrate, teams
from evalsvc.store.datasets import import_dataset
from evalsvc.store.sealing import seal
from evalsvc.store.session import Store, create_store_engine, sqlite_url
from evalsvc.store.tables import Dataset, Team
from tests.images.jobs import Place
from tests.integration.published_files import make_published, mark_synthetic
from tests.integration.service import PRIVATE, PUBLIC, Clock, Service

BUILD_INPUTS = (
    "evalsvc",
    "submission_template",
    "pyproject.toml",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
)
EARLY = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


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


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place for jobs of the Docker executor; suites over another executor define their own."""
    made = Place("docker", tmp_path)
    yield made
    made.close()


@pytest.fixture
def api() -> Iterator[docker.APIClient]:
    """The engine, asked directly."""
    client = docker.from_env()
    yield client.api
    client.close()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: a build leaves files in the tree it builds."""
    copy = tmp_path_factory.mktemp("source")
    for name in BUILD_INPUTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copyfile(source, copy / name)
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(target), str(copy)]
    subprocess.run(command, check=True)
    (built,) = target.glob("*.whl")
    return built
