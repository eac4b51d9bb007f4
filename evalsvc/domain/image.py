"""A submission's image before it runs: what a name of one looks like, and what is known of it."""

import re
from dataclasses import dataclass
from typing import Final

from evalsvc.domain.errors import InputError

_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?"
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE: Final = re.compile(
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
"""The grammar of github.com/distribution/reference, with SHA-256 as the only digest."""
_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST: Final = 512


def check_reference(text: str) -> str:
    """`text`, if it is the name or the id of an image.  Raises `InputError`.

    Names end up in the path of a request to the engine, where `..` and the like would reach other answers of it:
    nothing that is not a name may get that far.
    """
    if len(text) <= _LONGEST and (_ID.fullmatch(text) or _REFERENCE.fullmatch(text)):
        return text
    raise InputError(
        f"{text[:80]!r} is not the name of an image; one looks like model:1, host.example:5000/team/model:1 or "
        "team/model@sha256:<64 hex digits>, in lower case."
    )


@dataclass(frozen=True)
class ResolvedImage:
    """`digest` is what will run, whatever `reference` points to later; `size` in bytes."""

    reference: str
    digest: str
    platform: str
    size: int
    command: tuple[str, ...]
    environment: tuple[str, ...]
    volumes: tuple[str, ...]
