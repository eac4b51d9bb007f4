"""The HTTP client that the command line uses: one method per route, errors back as the errors they were."""

from typing import Any, Final, TypeVar

import httpx
from pydantic import ValidationError

from evalsvc.api.schemas import (
    ErrorBody,
    Leaderboard,
    LogView,
    Message,
    QuotaView,
    ReportView,
    ServiceView,
    SubmissionList,
    SubmissionView,
)
from evalsvc.domain import errors

M = TypeVar("M", bound=Message)

_ERRORS: Final[dict[str, type[errors.EvalsvcError]]] = {
    cls.code: cls
    for cls in (
        errors.InputError,
        errors.ImageRefused,
        errors.NotSignedIn,
        errors.NotFound,
        errors.Conflict,
        errors.Unavailable,
    )
}


class Client:
    """A session with one service."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise errors.InputError(f"{url!r} is not the address of a service: begin it with https:// or http://.")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=30.0)

    def service(self) -> ServiceView:
        return self._call("GET", "/api/v1/service", ServiceView)

    def submit(self, image: str) -> SubmissionView:
        return self._call("POST", "/api/v1/submissions", SubmissionView, {"image": image})

    def submissions(self) -> SubmissionList:
        return self._call("GET", "/api/v1/submissions", SubmissionList)

    def submission(self, submission_id: str) -> SubmissionView:
        return self._call("GET", f"/api/v1/submissions/{_quoted(submission_id)}", SubmissionView)

    def log(self, submission_id: str) -> LogView:
        return self._call("GET", f"/api/v1/submissions/{_quoted(submission_id)}/log", LogView)

    def report(self, submission_id: str) -> ReportView:
        return self._call("GET", f"/api/v1/submissions/{_quoted(submission_id)}/report", ReportView)

    def cancel(self, submission_id: str) -> SubmissionView:
        return self._call("POST", f"/api/v1/submissions/{_quoted(submission_id)}/cancel", SubmissionView)

    def quota(self) -> QuotaView:
        return self._call("GET", "/api/v1/quota", QuotaView)

    def leaderboard(self) -> Leaderboard:
        return self._call("GET", "/api/v1/leaderboard", Leaderboard)

    def close(self) -> None:
        self._http.close()

    def _call(self, method: str, path: str, reply: type[M], body: dict[str, Any] | None = None) -> M:
        try:
            response = self._http.request(method, path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise errors.Unavailable(
                f"The service at {self.url} does not answer ({type(error).__name__}): is the address right (https "
                "or http, the port), and is it running?"
            ) from error
        if response.is_success:
            try:
                return reply.model_validate_json(response.content)
            except ValidationError as error:
                raise errors.Unavailable(
                    f"{self.url} answered something this version does not understand: is it an evalsvc service, "
                    "and of the same version?"
                ) from error
        raise _error_of(response, self.url)


def _quoted(submission_id: str) -> str:
    if not submission_id.isalnum():
        raise errors.NotFound(f"There is no submission {submission_id!r}; `evalsvc status` lists yours.")
    return submission_id


def _error_of(response: httpx.Response, url: str) -> errors.EvalsvcError:
    try:
        body = ErrorBody.model_validate_json(response.content)
    except ValidationError:
        return errors.Unavailable(
            f"{url} answered {response.status_code}, and not as an evalsvc service does: is the address right?"
        )
    if body.code == errors.QuotaExceeded.code and body.next_slot is not None:
        return errors.QuotaExceeded(body.message, body.next_slot)
    return _ERRORS.get(body.code, errors.EvalsvcError)(body.message)
