"""A submission image on the researcher's own machine: start from the template, try it out."""

import typer


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
