"""Reads what the collect step printed.

A frame is canonical: it is accepted only if it is, byte for byte, the frame of the data in it, so damage of any
kind is an error and never other predictions.
"""

import binascii
from typing import Final

from evalsvc.domain.errors import JobFailed
from evalsvc.domain.submission import Cause
from evalsvc.pod.collect import FRAME, REFUSAL, Reason, frame, refusal

REFUSALS: Final[dict[Reason, tuple[Cause, str]]] = {
    Reason.MISSING: (Cause.NO_PREDICTIONS, "there is no /output/predictions.csv"),
    Reason.SYMLINK: (Cause.INVALID_PREDICTIONS, "predictions.csv is a symbolic link"),
    Reason.NOT_A_FILE: (Cause.INVALID_PREDICTIONS, "predictions.csv is not a plain file"),
    Reason.HARD_LINK: (Cause.INVALID_PREDICTIONS, "predictions.csv has more than one name"),
    Reason.UNREADABLE: (Cause.INVALID_PREDICTIONS, "predictions.csv or /output cannot be opened"),
    Reason.TOO_LARGE: (Cause.OUTPUT_TOO_LARGE, "predictions.csv is larger than it may be"),
    Reason.VOLUME_FULL: (Cause.OUTPUT_TOO_LARGE, "/output is full"),
}


def parse_frame(answer: bytes) -> bytes:
    """The predictions in a collect step's whole output.

    Raises `JobFailed`: with the submission's cause for a refusal, with `infrastructure` for a damaged answer.
    """
    if answer.startswith(f"{REFUSAL} ".encode()):
        raise JobFailed(*_refused(answer))
    if not answer.startswith(f"{FRAME} ".encode()):
        raise _damaged()
    try:
        data = b"".join(binascii.a2b_base64(line, strict_mode=True) for line in answer.split(b"\n")[1:-2])
    except binascii.Error as error:
        raise _damaged() from error
    if frame(data) != answer:
        raise _damaged()
    return data


def _refused(answer: bytes) -> tuple[Cause, str]:
    for reason, cause in REFUSALS.items():
        if refusal(reason) == answer:
            return cause
    raise _damaged()


def _damaged() -> JobFailed:
    return JobFailed(Cause.INFRASTRUCTURE, "the collect step's answer is damaged or incomplete")
