"""Every error a person can meet, in one tree.

    EvalsvcError
    ├── InputError              something a person typed or sent is not right
    │   ├── LabelsError         a label file
    │   ├── PredictionsError    a predictions.csv
    │   ├── ImageError          one image or DICOM file
    │   ├── DatasetError        a data set that cannot be imported or has changed since
    │   ├── ImageRefused        a submission image the policy does not admit
    │   └── ConfigurationError  a setting
    ├── NotSignedIn             no token, or one that is unknown, expired or revoked
    ├── NotFound                no such submission, team, image, ...
    ├── Conflict                the thing is in a state that does not allow this
    ├── QuotaExceeded           no evaluation left in this window
    ├── Unavailable             a part of the service cannot be reached now
    └── JobFailed               an evaluation ended without predictions (carries its cause)

A message is one or two sentences: what happened, to which file or line, and what to do next.  The two tables
that map these to exit codes and HTTP statuses are in `evalsvc.cli.errors` and `evalsvc.api.errors`.
"""

from datetime import datetime
from pathlib import Path

from evalsvc.domain.submission import Cause


class EvalsvcError(Exception):
    """The root: catch this to catch everything the service itself raises."""

    code = "error"


class InputError(EvalsvcError):
    code = "invalid_input"


class LabelsError(InputError):
    """A label file that cannot be used; `line` counts from 1, the header being line 1."""

    code = "invalid_labels"

    def __init__(self, path: Path, message: str, line: int | None = None) -> None:
        self.path, self.line = path, line
        where = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{where}: {message}")


class PredictionsError(InputError):
    """A predictions.csv that is refused; `line` counts from 1, the header being line 1."""

    code = "invalid_predictions"

    def __init__(self, message: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(message if line is None else f"line {line}: {message}")


class ImageError(InputError):
    """One image file that cannot be used."""

    code = "invalid_image"

    def __init__(self, path: Path, message: str) -> None:
        self.path = path
        super().__init__(f"{path}: {message}")


class DatasetError(InputError):
    code = "invalid_dataset"


class ImageRefused(InputError):
    code = "image_refused"


class ConfigurationError(InputError):
    code = "invalid_configuration"


class NotSignedIn(EvalsvcError):
    code = "not_signed_in"


class NotFound(EvalsvcError):
    code = "not_found"


class Conflict(EvalsvcError):
    code = "conflict"


class QuotaExceeded(EvalsvcError):
    """`next_slot` is the exact instant (UTC) at which the next evaluation can be submitted."""

    code = "quota_exceeded"

    def __init__(self, message: str, next_slot: datetime) -> None:
        self.next_slot = next_slot
        super().__init__(message)


class Unavailable(EvalsvcError):
    code = "unavailable"


class JobFailed(EvalsvcError):
    """An evaluation ended without usable predictions.  `detail` is for maintainers, never for participants."""

    code = "job_failed"

    def __init__(self, cause: Cause, detail: str) -> None:
        self.cause, self.detail = cause, detail
        super().__init__(f"{cause}: {detail}")
