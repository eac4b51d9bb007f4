"""The migrations make exactly the tables that the code declares, in one step, and say when they are missing."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine

from evalsvc.domain.errors import Unavailable
from evalsvc.store import migrate
from evalsvc.store.session import create_store_engine, sqlite_url
from evalsvc.store.tables import Base

ROOT = Path(__file__).parents[2]
MIGRATIONS = "evalsvc/store/migrations"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_store_engine(sqlite_url(tmp_path / "evalsvc.db"))
    yield engine
    engine.dispose()


def schema(engine: Engine) -> dict[str, list[str]]:
    """Each table's and index's definition, as its parts in alphabetical order: SQLite's own account of it."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    return {
        name: sorted(part.strip(" ,") for part in re.sub(r"[\t ]+", " ", sql).splitlines())
        for name, sql in rows
        if name != "alembic_version"
    }


def test_alembic_finds_no_difference_between_the_migrations_and_the_tables(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_definitions_are_the_same_to_the_letter_names_of_constraints_included(
    engine: Engine, tmp_path: Path
) -> None:
    migrate.upgrade(engine)
    declared = create_store_engine(sqlite_url(tmp_path / "declared.db"))
    Base.metadata.create_all(declared)
    expected = schema(declared)
    declared.dispose()
    assert "submission" in expected
    assert schema(engine) == expected


def test_every_constraint_has_a_name_that_a_later_migration_can_use(engine: Engine) -> None:
    migrate.upgrade(engine)
    found = sa.inspect(engine)
    for table in set(found.get_table_names()) - {"alembic_version"}:
        constraints = [found.get_pk_constraint(table), *found.get_foreign_keys(table)]
        constraints += found.get_unique_constraints(table)
        assert all(constraint["name"] for constraint in constraints), table


def test_an_empty_database_is_refused_until_it_is_upgraded(engine: Engine) -> None:
    assert migrate.current(engine) is None
    with pytest.raises(Unavailable, match=r"is empty, this version needs 0001: run `evalsvc db upgrade`\.$"):
        migrate.check(engine)
    migrate.upgrade(engine)
    migrate.check(engine)
    assert migrate.current(engine) == "0001"


def test_upgrading_twice_changes_nothing(engine: Engine) -> None:
    migrate.upgrade(engine)
    before = schema(engine)
    migrate.upgrade(engine)
    assert schema(engine) == before


def test_a_database_of_a_newer_version_is_refused(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable, match=r"is at 9999, which is newer than this version \(0001\)"):
        migrate.check(engine)


def test_an_upgrade_that_fails_half_way_leaves_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE score (id INTEGER)")  # the last table of the first revision
    before = schema(engine)
    with pytest.raises(sa.exc.OperationalError, match="already exists"):
        migrate.upgrade(engine)
    assert schema(engine) == before
    assert migrate.current(engine) is None


def test_a_table_that_others_point_to_can_be_changed(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO team VALUES (1, 'a', '2024-01-01')")
        connection.exec_driver_sql("INSERT INTO token VALUES (1, 1, 'laptop', 'x', '2024-01-01', NULL)")
    with migrate.migrating(engine) as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("team", recreate="always") as batch:
            batch.add_column(sa.Column("country", sa.String(2)))
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT team_id FROM token").all() == [(1,)]
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql("DELETE FROM team")


def test_a_change_that_would_leave_rows_pointing_to_nothing_is_undone(engine: Engine) -> None:
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO team VALUES (1, 'a', '2024-01-01')")
        connection.exec_driver_sql("INSERT INTO token VALUES (1, 1, 'laptop', 'x', '2024-01-01', NULL)")
    with (
        pytest.raises(Unavailable, match="1 rows of token would point to nothing"),
        migrate.migrating(engine) as connection,
    ):
        connection.exec_driver_sql("DELETE FROM team")
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT name FROM team").all() == [("a",)]


def test_the_wheel_holds_the_migrations(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        packed = set(files.namelist())
    revisions = {f"{MIGRATIONS}/versions/{path.name}" for path in (ROOT / MIGRATIONS / "versions").glob("r*.py")}
    assert revisions
    assert packed >= {f"{MIGRATIONS}/env.py", *revisions}
