"""A maintainer and the service: teams, tokens, data sets."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from evalsvc.cli import dataset

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Name = Annotated[str, typer.Argument(help="The team's name: lower-case letters, digits, hyphens.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
    admin = typer.Typer(help="Steer the service (on the machine it runs on).", no_args_is_help=True)
    team = typer.Typer(help="Teams and their tokens.", no_args_is_help=True)
    team.command("create")(create)
    team.command("list")(list_teams)
    team.command("token")(token)
    team.command("revoke")(revoke)
    admin.add_typer(team, name="team")
    admin.command("log")(private_log)
    dataset.register(admin)
    app.add_typer(admin, name="admin")


@contextmanager
def _transaction() -> Iterator["Session"]:
    from evalsvc.bootstrap import open_store

    store, _ = open_store()
    try:
        with store.begin() as session:
            yield session
    finally:
        store.close()


def create(name: Name, as_json: Json = False) -> None:
    """Create a team and print its first token, which is shown this once."""
    from evalsvc.bootstrap import utc_now
    from evalsvc.store.teams import create_team, issue_token

    with _transaction() as session:
        team = create_team(session, name, utc_now())
        clear = issue_token(session, team, "first", utc_now())
    _show_token(name, clear, as_json)


def token(name: Name, as_json: Json = False) -> None:
    """Issue another token for a team; it is shown this once."""
    from evalsvc.bootstrap import utc_now
    from evalsvc.store.teams import issue_token, team_named

    with _transaction() as session:
        clear = issue_token(session, team_named(session, name), "issued by a maintainer", utc_now())
    _show_token(name, clear, as_json)


def revoke(name: Name, as_json: Json = False) -> None:
    """Revoke all of a team's tokens, at once."""
    from evalsvc.bootstrap import utc_now
    from evalsvc.cli.console import say, say_json
    from evalsvc.store.teams import revoke_tokens, team_named

    with _transaction() as session:
        count = revoke_tokens(session, team_named(session, name), utc_now())
    if as_json:
        say_json({"team": name, "revoked": count})
    else:
        say(f"Revoked {count} token{'' if count == 1 else 's'} of team {name}.")


def list_teams(as_json: Json = False) -> None:
    """List the teams."""
    from evalsvc.cli.console import say_json, say_table
    from evalsvc.store import teams

    with _transaction() as session:
        found = [(team.name, team.created_at, count) for team, count in teams.list_teams(session)]
    if as_json:
        say_json([{"name": n, "created_at": at.isoformat(), "tokens": count} for n, at, count in found])
    else:
        rows = [[name, f"{at:%Y-%m-%d}", str(count)] for name, at, count in found]
        say_table(None, ["team", "created", "usable tokens"], rows, numeric=1)


def private_log(
    submission_id: Annotated[str, typer.Argument(help="The submission's id.")],
    as_json: Json = False,
) -> None:
    """Print what a private run printed and how it ended. Sealed: never pass it on to a participant."""
    from evalsvc.bootstrap import open_store
    from evalsvc.cli.console import note, say_json, write
    from evalsvc.domain.errors import NotFound
    from evalsvc.domain.submission import Kind
    from evalsvc.store import submissions
    from evalsvc.store.blobs import Blobs

    store, data = open_store()
    with store.read() as session:
        attempt = submissions.last_attempt(session, submission_id, Kind.EVALUATION)
    store.close()
    if attempt is None:
        raise NotFound(f"No private run of submission {submission_id!r} has ended.")
    text = Blobs(data / "blobs").get(attempt.log).decode("utf-8", "replace") if attempt.log else ""
    if as_json:
        say_json({"attempt": attempt.id, "cause": attempt.cause, "detail": attempt.detail, "log": text})
        return
    note(f"attempt {attempt.id} (number {attempt.number}): {attempt.cause or 'ended well'} {attempt.detail}")
    write(text)


def _show_token(name: str, clear: str, as_json: bool) -> None:
    from evalsvc.cli.console import note, say, say_json

    if as_json:
        say_json({"team": name, "token": clear})
        return
    say(clear)
    note(f"This is team {name}'s token. It is not shown again; give it to the team over a safe channel.")
