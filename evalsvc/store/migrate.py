"""Brings the database to the tables this version needs, and says so where it is not there yet.

A new revision is written by hand beside the others in `migrations/versions`; tests/integration/test_migrations.py
prints what it still lacks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from evalsvc.domain.errors import Unavailable


def upgrade(engine: Engine) -> None:
    """Apply every revision that is missing, all in one transaction; nothing to do is fine.

    Raises `Unavailable` for a database that a newer version has made.
    """
    _refuse_newer(engine)
    with migrating(engine) as connection:
        command.upgrade(_config(connection), "head")


def current(engine: Engine) -> str | None:
    """The database's revision; None for one without tables."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check(engine: Engine) -> None:
    """Raise `Unavailable` unless the database is at the revision that this version needs."""
    _refuse_newer(engine)
    found, needed = current(engine), _scripts().get_current_head()
    if found == needed:
        return
    raise Unavailable(
        f"The database is {'at ' + found if found else 'empty'}, this version needs {needed}: "
        "run `evalsvc db upgrade`."
    )


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _refuse_newer(engine: Engine) -> None:
    scripts, found = _scripts(), current(engine)
    known = {script.revision for script in scripts.walk_revisions()}
    if found is not None and found not in known:
        raise Unavailable(
            f"The database is at {found}, which is newer than this version ({scripts.get_current_head()}): "
            "upgrade evalsvc to the version that made it."
        )


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """A transaction for changing tables.

    SQLite changes a table by copying it and dropping the old one, which foreign keys would take for a deletion of
    every row: they are off meanwhile, and checked before the commit instead.
    """
    with engine.connect() as connection:
        sqlite = engine.dialect.name == "sqlite"
        if sqlite:
            _set_foreign_keys(connection, on=False)
        try:
            with connection.begin():
                yield connection
                if sqlite:
                    _refuse_broken_keys(connection)
        finally:
            if sqlite:
                _set_foreign_keys(connection, on=True)


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "evalsvc.store:migrations")
    return config


def _set_foreign_keys(connection: Connection, on: bool) -> None:
    """On the driver's own connection: SQLite ignores this inside a transaction, and SQLAlchemy would begin one."""
    driver: Any = connection.connection.dbapi_connection
    driver.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}").close()


def _refuse_broken_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise Unavailable(
            f"The upgrade was undone: {len(broken)} rows of {broken[0][0]} would point to nothing. "
            "Restore the database from a backup and run `evalsvc db upgrade` again."
        )
