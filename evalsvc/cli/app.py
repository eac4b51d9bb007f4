"""The `evalsvc` command: puts the commands together and turns errors into one line and an exit code.

Nothing heavy is imported here or at the top of a command module: `evalsvc --help` has to be instant.
"""

import sys
from typing import Annotated

import typer

from evalsvc import __version__
from evalsvc.cli import data, errors, maintainer, model, participant, score, server

_SERVER_PARTS = {"alembic", "fastapi", "pydantic_settings", "sqlalchemy", "starlette", "structlog", "uvicorn"}
"""What the extra `server` brings."""

app = typer.Typer(
    name="evalsvc",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for module in (participant, model, score, data, maintainer, server):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Evaluate a model against a private test set you cannot see."""


def main() -> None:
    """Run the command line; errors of ours are printed without a traceback."""
    from evalsvc.domain.errors import EvalsvcError

    try:
        app()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _SERVER_PARTS:
            raise
        sys.stderr.write(
            "error: This command is the service's own: install it with pip install 'evalsvc[server]'.\n"
        )
        sys.exit(1)
    except EvalsvcError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(errors.exit_code(error))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
