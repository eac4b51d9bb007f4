"""What Alembic runs to apply revisions: on the connection it was given, inside that connection's transaction."""

from alembic import context

from evalsvc.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
)
context.run_migrations()
