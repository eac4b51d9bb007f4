"""How a submission, its report and the leaderboard look in a terminal."""

import time
from datetime import UTC, datetime
from typing import Final

from evalsvc.api.schemas import Leaderboard, ReportView, SubmissionList, SubmissionView
from evalsvc.cli.console import ERR, note, say, say_json, say_table, write
from evalsvc.client import Client
from evalsvc.domain.errors import JobFailed, NotFound, Unavailable
from evalsvc.domain.submission import Cause, State

_POLL_SECONDS: Final = (0.5, 1.0, 2.0, 3.0, 5.0)
_PATIENCE: Final = 120.0
"""How long (seconds) a watch goes on when the service does not answer."""

_DOING: Final[dict[State, str]] = {
    State.RECEIVED: "received",
    State.TRIAL_QUEUED: "waiting for its trial on public sample images",
    State.TRIAL_RUNNING: "trial on public sample images",
    State.QUEUED: "trial passed; waiting for the private test set",
    State.RUNNING: "running on the private test set",
    State.SCORING: "scoring",
    State.SCORED: "scored",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


def show_admitted(view: SubmissionView) -> None:
    """One line: what was admitted, or that it had been before."""
    if view.notice:
        note(view.notice)
    if view.repeated:
        say(f"{view.image} was submitted before as {view.id}: that answer stands, and nothing was charged.")
    else:
        say(f"Submitted {view.image} as {view.id} ({_short(view.digest)}).")


def show(view: SubmissionView) -> None:
    """One submission with its history."""
    if view.notice:
        note(view.notice)
    say(f"{view.id}  {view.image}  {_short(view.digest)}  data {view.dataset.name} {view.dataset.version[:12]}")
    rows = [[_time(h.at), h.state.value, _why(h.cause, h.reason)] for h in view.history]
    say_table(None, ["time (UTC)", "state", "why"], rows)
    if view.queue_position is not None:
        say(f"{view.queue_position - 1} before it in the queue.")
    if view.deadline is not None:
        say(f"This state ends by {_time(view.deadline)} UTC at the latest.")
    if view.state.ended:
        say("It used one of its day's evaluations." if view.charged else "Nothing was charged.")
    _say_next(view)


def show_cancel(view: SubmissionView) -> None:
    """What became of the wish to cancel, without telling what may not be seen yet."""
    if not view.state.ended and view.cancel_at is not None:
        say(
            f"{view.id} has begun on the private test set: it is cancelled at {_time(view.cancel_at)} UTC unless "
            "it has ended by then. It stays charged, unless the service itself fails."
        )
    else:
        show(view)


def _say_next(view: SubmissionView) -> None:
    hints = {
        State.SCORED: f"Next: evalsvc report {view.id}",
        State.FAILED: f"Next: evalsvc logs {view.id}"
        if view.cause is Cause.TRIAL_FAILED
        else "Next: evalsvc try IMAGE --images 500 finds most such failures on your own machine.",
    }
    if view.state in hints and view.cause is not Cause.INFRASTRUCTURE:
        say(hints[view.state])


def show_list(found: SubmissionList) -> None:
    """All submissions, newest first."""
    if found.notice:
        note(found.notice)
    if not found.submissions:
        say("No submissions yet. Next: evalsvc submit IMAGE --watch")
        return
    rows = [[s.id, _time(s.created_at), s.image, s.state.value, s.cause or ""] for s in found.submissions]
    say_table(None, ["id", "submitted (UTC)", "image", "state", "cause"], rows)


def show_leaderboard(board: Leaderboard) -> None:
    """The teams' best scores."""
    if board.notice:
        note(board.notice)
    rows = [
        [
            str(r.rank),
            r.team,
            r.submission,
            f"{r.tau_b:.4f}",
            _number(r.amae, 2),
            _number(r.interval_cancer_auc, 4),
        ]
        for r in board.rows
    ]
    kind = "synthetic" if board.dataset.synthetic else "sealed"
    columns = ["rank", "team", "submission", "tau-b", "AMAE (ranks)", "AUC interval cancer"]
    title = f"Leaderboard, private split of {board.dataset.name} {board.dataset.version[:12]} ({kind})"
    say_table(title, columns, rows, numeric=3)
    if not board.rows:
        say("Nobody has a score yet.")


def show_report(found: ReportView, full: bool = False) -> None:
    """The score report: what a researcher looks at first, or with `full` every table."""
    from evalsvc.cli.score import show_endpoints, show_scales, show_split

    if found.notice:
        note(found.notice)
    say(f"{found.id}  {found.image}  {_short(found.digest)}")
    say(f"team {found.team}, scored {_time(found.scored_at)} UTC")
    say(f"data {found.dataset.name} {found.dataset.version[:12]}" + (" (synthetic)" * found.dataset.synthetic))
    for split in ("private", "public"):
        say("")
        if full:
            show_split(found.report[split])
        else:
            say(f"{split} split, {found.report[split]['images']} images\n")
            show_scales(found.report[split])
    both = found.report["both"]
    say("both splits together\n")
    show_endpoints({"model": both, **both["comparators"]})
    if not full:
        note(f"Each split's endpoints and the agreement tables: evalsvc report {found.id} --full")


def watch(client: Client, view: SubmissionView, as_json: bool) -> None:
    """Follow a submission to its end, then show the report, or why there is none.  Raises `JobFailed`."""
    if not as_json:
        show_admitted(view)
    try:
        view = _follow(client, view)
    except KeyboardInterrupt:
        note(f"It goes on without you. Next: evalsvc status {view.id}")
        raise
    if view.state is State.SCORED:
        found = client.report(view.id)
        say_json(found.model_dump(mode="json")) if as_json else show_report(found)
        return
    if as_json:
        say_json(view.model_dump(mode="json"))
    if view.cause is Cause.TRIAL_FAILED and not as_json:
        _show_trial_log(client, view)
    raise JobFailed(view.cause or Cause.INFRASTRUCTURE, view.reason or f"the submission was {view.state}")


def _show_trial_log(client: Client, view: SubmissionView) -> None:
    try:
        text = client.log(view.id).text
    except NotFound:
        return
    note("--- what your model printed during its trial ---")
    write(text)
    note("---")


def _follow(client: Client, view: SubmissionView) -> SubmissionView:
    polls, quiet_since, last = iter(_POLL_SECONDS), None, None
    pause = _POLL_SECONDS[0]
    with ERR.status("") as spinner:
        while not view.state.ended:
            if view.state is not last:
                note(f"{datetime.now(UTC):%H:%M:%S}  {_DOING[view.state]}")
                last, polls = view.state, iter(_POLL_SECONDS)
            spinner.update(_progress(view))
            pause = next(polls, pause)
            time.sleep(pause)
            try:
                view, quiet_since = client.submission(view.id), None
            except Unavailable:
                quiet_since = quiet_since or time.monotonic()
                if time.monotonic() - quiet_since > _PATIENCE:
                    raise
    note(f"{datetime.now(UTC):%H:%M:%S}  {_DOING[view.state]}")
    return view


def _progress(view: SubmissionView) -> str:
    seconds = int((datetime.now(UTC) - view.changed_at).total_seconds())
    place = f", number {view.queue_position} in the queue" if view.queue_position else ""
    return f"{_DOING[view.state]}{place}, for {max(seconds, 0)} s"


def _short(digest: str) -> str:
    return digest[:19]


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _why(cause: Cause | None, reason: str) -> str:
    return f"{cause.value}: {reason}" if cause else reason


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
