"""The one table from errors to exit codes.  0 is success, 2 is a usage error (typer's own)."""

from typing import Final

from evalsvc.domain import errors

EXIT_CODES: Final[dict[type[errors.EvalsvcError], int]] = {
    errors.EvalsvcError: 1,
    errors.InputError: 3,
    errors.NotSignedIn: 4,
    errors.NotFound: 5,
    errors.Conflict: 6,
    errors.QuotaExceeded: 7,
    errors.Unavailable: 8,
    errors.JobFailed: 9,
}


def exit_code(error: errors.EvalsvcError) -> int:
    """The exit code of the nearest ancestor in the table."""
    return next(EXIT_CODES[cls] for cls in type(error).__mro__ if cls in EXIT_CODES)
