"""The last step of an attempt: read the one file a dead submission leaves, trusting nothing about it.

What lies at that path was made by the submission: a link, a pipe, a device, a folder, a file of a tebibyte without
a byte in it.  It is opened without following and without waiting, judged by its descriptor, and printed in a frame
that no damage can pass through unnoticed.
"""

import argparse
import base64
import errno
import hashlib
import os
import stat
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

PREDICTIONS = "predictions.csv"
FRAME = "evalsvc-predictions 1"
REFUSAL = "evalsvc-refused 1"
_LINE = 3072
"""Bytes per line: 4096 characters of base64."""


class Reason(StrEnum):
    """Why there are no predictions."""

    MISSING = "missing"
    SYMLINK = "symlink"
    NOT_A_FILE = "not-a-file"
    HARD_LINK = "hard-link"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too-large"
    VOLUME_FULL = "volume-full"


class Refused(Exception):
    """There are no predictions to hand over."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason)


def frame(data: bytes) -> bytes:
    """`data` as ASCII lines of at most 4 KiB between a header and a trailer, both with length and SHA-256."""
    seal = f"{len(data)} {hashlib.sha256(data).hexdigest()}"
    lines = [base64.b64encode(data[at : at + _LINE]).decode() for at in range(0, len(data), _LINE)]
    return "".join(f"{line}\n" for line in [f"{FRAME} {seal}", *lines, f"end {seal}"]).encode()


def refusal(reason: Reason) -> bytes:
    """The one line that says why there is no frame."""
    return f"{REFUSAL} {reason} {hashlib.sha256(reason.encode()).hexdigest()}\n".encode()


def volume_full(folder: Path) -> bool:
    """Whether a volume of its own has no block or no inode left: what was written last may be cut short."""
    state = os.statvfs(folder)
    return state.f_bavail == 0 or state.f_favail == 0


def read_predictions(folder: Path, limit: int) -> bytes:
    """The bytes of `folder/predictions.csv`, at most `limit`.  Raises `Refused`, and nothing else."""
    try:
        descriptor = _open(folder)
    except OSError as error:
        raise Refused(_reason(error)) from error
    try:
        _judge(os.fstat(descriptor), limit)
        return _read(descriptor, limit)
    except OSError as error:
        raise Refused(Reason.UNREADABLE) from error
    finally:
        os.close(descriptor)


def _open(folder: Path) -> int:
    parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return os.open(PREDICTIONS, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    finally:
        os.close(parent)


def _reason(error: OSError) -> Reason:
    known = {errno.ENOENT: Reason.MISSING, errno.ELOOP: Reason.SYMLINK, errno.ENXIO: Reason.NOT_A_FILE}
    return known.get(error.errno or 0, Reason.UNREADABLE)


def _judge(state: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise Refused(Reason.NOT_A_FILE)
    if state.st_nlink != 1:
        raise Refused(Reason.HARD_LINK)
    if state.st_size > limit:
        raise Refused(Reason.TOO_LARGE)


def _read(descriptor: int, limit: int) -> bytes:
    blocks, size = [], 0
    while block := os.read(descriptor, 1 << 20):
        blocks.append(block)
        size += len(block)
        if size > limit:
            raise Refused(Reason.TOO_LARGE)
    return b"".join(blocks)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="collect", description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=4 << 20, metavar="BYTES")
    parser.add_argument(
        "--volume", action="store_true", help="the folder is a volume of its own; full means cut short"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Print the frame, or the refusal; both are a success of this step."""
    options = _arguments(arguments)
    try:
        if options.volume and volume_full(options.output):
            raise Refused(Reason.VOLUME_FULL)
        answer = frame(read_predictions(options.output, options.limit))
    except Refused as refused:
        answer = refusal(refused.reason)
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
