"""Scoring a predictions.csv against labels one has."""

import typer


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
