"""The service itself: serve, work, demonstrate, look after the database."""

import typer


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
