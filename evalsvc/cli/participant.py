"""A researcher and the service: sign in, submit, look, cancel."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evalsvc.client import Client

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Id = Annotated[str, typer.Argument(help="The submission's id, as `evalsvc submit` printed it.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
    for command in (login, submit, status, logs, report, quota, leaderboard, cancel):
        app.command()(command)


@contextmanager
def _service() -> Iterator["Client"]:
    from evalsvc.cli.credentials import load_credentials
    from evalsvc.client import Client

    credentials = load_credentials()
    client = Client(credentials.url, credentials.token)
    try:
        yield client
    finally:
        client.close()


def login(
    url: Annotated[str, typer.Argument(help="The service's address, such as https://eval.example.org")],
    token: Annotated[str, typer.Option(help="Your token; asked for when not given.", envvar="EVALSVC_TOKEN")] = "",
) -> None:
    """Sign in: remember the service and your token."""
    from evalsvc.cli.console import note, say
    from evalsvc.cli.credentials import Credentials, save_credentials, usable_token
    from evalsvc.client import Client

    token = usable_token(token or _ask_token())
    client = Client(url, token)
    try:
        mine = client.quota()
    finally:
        client.close()
    path = save_credentials(Credentials(client.url, token))
    say(f"Signed in to {client.url} as team {mine.team}.")
    note(f"Kept in {path}. Next: evalsvc submit IMAGE --watch")


def _ask_token() -> str:
    """From the terminal, unseen; from a pipe as it comes."""
    import sys

    if not sys.stdin.isatty():
        return sys.stdin.readline()
    return str(typer.prompt("Token", hide_input=True))


def submit(
    image: Annotated[str, typer.Argument(help="The image, such as team/model:tag")],
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it is scored, and show the report.")] = False,
    as_json: Json = False,
) -> None:
    """Submit an image: a trial on public images first, then the private test set."""
    from evalsvc.cli import submission
    from evalsvc.cli.console import say, say_json

    with _service() as client:
        view = client.submit(image)
        if watch:
            submission.watch(client, view, as_json)
        elif as_json:
            say_json(view.model_dump(mode="json"))
        else:
            submission.show_admitted(view)
            say(f"Next: evalsvc status {view.id}")


def status(
    submission_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="One submission; else all.")] = None,
    as_json: Json = False,
) -> None:
    """Show your submissions, or one of them with its history."""
    from evalsvc.cli import submission
    from evalsvc.cli.console import say_json

    with _service() as client:
        if submission_id is None:
            found = client.submissions()
            say_json(found.model_dump(mode="json")) if as_json else submission.show_list(found)
        else:
            view = client.submission(submission_id)
            say_json(view.model_dump(mode="json")) if as_json else submission.show(view)


def logs(submission_id: Id, as_json: Json = False) -> None:
    """Print what your model printed during its trial (private runs show no log)."""
    from evalsvc.cli.console import note, say_json, write

    with _service() as client:
        log = client.log(submission_id)
        if as_json:
            say_json(log.model_dump(mode="json"))
        elif log.text:
            write(log.text)
        else:
            note(
                f"The trial of {submission_id} printed nothing; evalsvc status {submission_id} says how it ended."
            )


def report(
    submission_id: Id,
    full: Annotated[
        bool, typer.Option("--full", help="Every table: endpoints and agreement of each split.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the score report of a submission."""
    from evalsvc.cli import submission
    from evalsvc.cli.console import say_json

    with _service() as client:
        found = client.report(submission_id)
        say_json(found.model_dump(mode="json")) if as_json else submission.show_report(found, full)


def quota(as_json: Json = False) -> None:
    """Show how many evaluations your team has left, and when the next one is free."""
    from evalsvc.cli.console import note, say, say_json

    with _service() as client:
        mine = client.quota()
        if as_json:
            say_json(mine.model_dump(mode="json"))
            return
        when = "now" if mine.left else f"{mine.next_slot:%Y-%m-%d %H:%M:%S} UTC"
        say(f"Team {mine.team}: {mine.left} of {mine.limit} evaluations left today; the next one is free {when}.")
        if mine.notice:
            note(mine.notice)


def leaderboard(
    as_json: Json = False,
    url: Annotated[str, typer.Option(help="A service you are not signed in to.", envvar="EVALSVC_URL")] = "",
) -> None:
    """Show the best score of each team."""
    from evalsvc.cli import submission
    from evalsvc.cli.console import say_json
    from evalsvc.cli.credentials import load_credentials
    from evalsvc.client import Client

    client = Client(url or load_credentials().url)
    try:
        board = client.leaderboard()
    finally:
        client.close()
    say_json(board.model_dump(mode="json")) if as_json else submission.show_leaderboard(board)


def cancel(submission_id: Id, as_json: Json = False) -> None:
    """Cancel a submission: free until its private run starts, charged and at the next full minute after."""
    from evalsvc.cli import submission
    from evalsvc.cli.console import say_json

    with _service() as client:
        view = client.cancel(submission_id)
        say_json(view.model_dump(mode="json")) if as_json else submission.show_cancel(view)
