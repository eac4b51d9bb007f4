"""The `evalsvc` command: puts the commands together and turns errors into one line and an exit code.

Nothing heavy is imported here or at the top of a command module: `evalsvc --help` has to be instant.
"""

import sys

import typer

from evalsvc.cli import data, errors, maintainer, model, participant, score, server

app = typer.Typer(
    name="evalsvc",
    help="Evaluate a model against a private test set you cannot see.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for module in (participant, model, score, data, maintainer, server):
    module.register(app)


@app.callback()
def root() -> None:
    """Options every command shares (none so far)."""


def main() -> None:
    """Run the command line; errors of ours are printed without a traceback."""
    from evalsvc.domain.errors import EvalsvcError

    try:
        app()
    except EvalsvcError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(errors.exit_code(error))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
