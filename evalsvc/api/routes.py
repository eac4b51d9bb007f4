"""The routes.  Each one: who asks, one call, one reply."""

from fastapi import APIRouter, Response
from sqlalchemy import text

from evalsvc import __version__
from evalsvc.api import views
from evalsvc.api.auth import Asking, Parts
from evalsvc.api.schemas import (
    Leaderboard,
    LogView,
    QuotaView,
    ReportView,
    ServiceView,
    SubmissionList,
    SubmissionView,
    SubmitRequest,
)
from evalsvc.api.services import Services
from evalsvc.domain.errors import DatasetError, NotFound, Unavailable
from evalsvc.domain.submission import Kind
from evalsvc.store import submissions
from evalsvc.store.tables import Team

router = APIRouter()


@router.get("/healthz")
def healthy() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def ready(parts: Parts) -> dict[str, str]:
    """The database answers too."""
    with parts.store.read() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}


@router.get("/api/v1/service")
def service(parts: Parts) -> ServiceView:
    """What this service is."""
    rules = parts.rules
    return ServiceView(version=__version__, executor=parts.executor, isolated=rules.isolated, notice=rules.notice)


@router.post("/api/v1/submissions", status_code=201)
def submit(request: SubmitRequest, parts: Parts, team: Asking, response: Response) -> SubmissionView:
    """Submit an image; 200 instead of 201 when the same image was submitted before."""
    admitted = parts.admission.submit(team.id, request.image)
    if admitted.repeated:
        response.status_code = 200
    return _view(parts, team, admitted.submission_id).model_copy(update={"repeated": admitted.repeated})


@router.get("/api/v1/submissions")
def list_submissions(parts: Parts, team: Asking) -> SubmissionList:
    """The team's submissions, newest first, at most 100."""
    with parts.store.read() as session:
        rows = submissions.submissions_of(session, team.id)
        found = views.submission_views(session, rows, parts.rules, parts.clock())
    return SubmissionList(submissions=found, notice=parts.rules.notice)


@router.get("/api/v1/submissions/{submission_id}")
def show(submission_id: str, parts: Parts, team: Asking) -> SubmissionView:
    """One submission."""
    return _view(parts, team, submission_id)


@router.get("/api/v1/submissions/{submission_id}/log")
def trial_log(submission_id: str, parts: Parts, team: Asking) -> LogView:
    """What the trial printed.  There is no route to the log of a private run."""
    with parts.store.read() as session:
        row = submissions.submission_of(session, submission_id, team.id)
        attempt = submissions.last_attempt(session, row.id, Kind.TRIAL)
    if attempt is None or attempt.log is None:
        why = "was ended before it printed anything" if row.state.ended else "has not ended, so it has no log yet"
        raise NotFound(f"The trial of submission {submission_id} {why}.")
    try:
        return LogView(id=submission_id, text=parts.blobs.get(attempt.log).decode("utf-8", "replace"))
    except (NotFound, DatasetError) as error:
        raise Unavailable(f"The log of submission {submission_id} cannot be read; tell a maintainer.") from error


@router.get("/api/v1/submissions/{submission_id}/report")
def report(submission_id: str, parts: Parts, team: Asking) -> ReportView:
    """The score report."""
    with parts.store.read() as session:
        row = submissions.submission_of(session, submission_id, team.id)
        return views.report_view(session, row, parts.rules, parts.clock())


@router.post("/api/v1/submissions/{submission_id}/cancel")
def cancel(submission_id: str, parts: Parts, team: Asking) -> SubmissionView:
    """Cancel; free until the private run starts."""
    parts.admission.cancel(team.id, submission_id)
    return _view(parts, team, submission_id)


@router.get("/api/v1/quota")
def quota(parts: Parts, team: Asking) -> QuotaView:
    """What is left of the team's quota."""
    with parts.store.read() as session:
        return views.quota_view(session, team, parts.rules, parts.clock())


@router.get("/api/v1/leaderboard")
def leaderboard(parts: Parts) -> Leaderboard:
    """The leaderboard, for everyone."""
    with parts.store.read() as session:
        return views.leaderboard_view(session, parts.rules, parts.clock())


def _view(parts: Services, team: Team, submission_id: str) -> SubmissionView:
    with parts.store.read() as session:
        row = submissions.submission_of(session, submission_id, team.id)
        return views.submission_views(session, [row], parts.rules, parts.clock())[0]
