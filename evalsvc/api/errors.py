"""The one table from errors to HTTP statuses."""

from typing import Final

from evalsvc.domain import errors

HTTP_STATUSES: Final[dict[type[errors.EvalsvcError], int]] = {
    errors.EvalsvcError: 500,
    errors.InputError: 422,
    errors.NotSignedIn: 401,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.QuotaExceeded: 429,
    errors.Unavailable: 503,
    errors.JobFailed: 500,
}


def http_status(error: errors.EvalsvcError) -> int:
    """The status of the nearest ancestor in the table."""
    return next(HTTP_STATUSES[cls] for cls in type(error).__mro__ if cls in HTTP_STATUSES)
