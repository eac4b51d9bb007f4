"""The first step of an attempt: put the images where the submission may read them, and prove that it is offline.

This is the only program that sees the private images by their names.  It copies them under names that only the
holder of the attempt's key can invert, in the order of those names, with equal times and modes, so that nothing
but the pixels distinguishes one from another.
"""

import argparse
import errno
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evalsvc.pod import netcheck
from evalsvc.pod.naming import staged_name

KEY_VARIABLE = "EVALSVC_NAME_KEY"
"""Holds the attempt's key in hexadecimal, in this step's environment alone."""

EXIT_IMAGES = 41
"""An image is missing, or is not the one that was sealed."""
EXIT_ONLINE = 42
"""Something could be reached: the submission must not start."""
EXIT_NO_ROOM = 43
"""The input volume is too small."""

_BLOCK = 1 << 20


class StageError(Exception):
    """Ends the step; `exit_code` tells the executor why."""

    def __init__(self, exit_code: int, message: str) -> None:
        self.exit_code = exit_code
        super().__init__(message)


@dataclass(frozen=True)
class SealedImage:
    """One line of the manifest: the path below the source folder, its SHA-256 and its size in bytes."""

    path: str
    sha256: str
    size: int


def read_manifest(source: Path, splits: Iterable[str]) -> list[SealedImage]:
    """The sealed images of the given splits.  Raises `StageError` (41) for a manifest that cannot be trusted."""
    wanted = set(splits)
    try:
        entries = json.loads((source / "manifest.json").read_text())["images"]
        images = [SealedImage(str(e["path"]), str(e["sha256"]), int(e["size"])) for e in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(EXIT_IMAGES, f"manifest.json cannot be read: {error}") from error
    for image in images:
        if PurePosixPath(image.path).is_absolute() or ".." in PurePosixPath(image.path).parts:
            raise StageError(EXIT_IMAGES, f"{image.path} in manifest.json leads out of the source folder")
    chosen = [image for image in images if image.path.split("/", 1)[0] in wanted]
    if not chosen:
        raise StageError(EXIT_IMAGES, f"manifest.json has no image of {', '.join(sorted(wanted))}")
    return chosen


def stage_images(source: Path, target: Path, images: Sequence[SealedImage], key: bytes) -> None:
    """Copy `images` to `target/images` under their staged names and write `target/images.csv`."""
    named = sorted((staged_name(key, image.path), image) for image in images)
    folder = target / "images"
    try:
        folder.mkdir()
        for name, image in named:
            _copy_sealed(source / image.path, folder / name, image)
        _write_sealed(target / "images.csv", "".join(f"{line}\n" for line in ["Filename", *(n for n, _ in named)]))
        for directory in (folder, target):
            directory.chmod(0o555)
            os.utime(directory, (0, 0))
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StageError(EXIT_NO_ROOM, "the input volume is full") from error
        raise


def _copy_sealed(source: Path, target: Path, image: SealedImage) -> None:
    """Copy one file; its bytes are checked against the seal on the way."""
    try:
        reader = source.open("rb")
    except OSError as error:
        raise StageError(EXIT_IMAGES, f"{image.path} cannot be read: {error.strerror}") from error
    seen, size = hashlib.sha256(), 0
    with reader, target.open("xb", buffering=0) as writer:
        while block := reader.read(_BLOCK):
            seen.update(block)
            size += len(block)
            _write_all(writer.fileno(), block)
    if size != image.size or seen.hexdigest() != image.sha256:
        raise StageError(EXIT_IMAGES, f"{image.path} is not the image that was sealed")
    _settle(target)


def _write_all(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]


def _write_sealed(target: Path, text: str) -> None:
    with target.open("x", newline="") as writer:
        writer.write(text)
    _settle(target)


def _settle(target: Path) -> None:
    target.chmod(0o444)
    os.utime(target, (0, 0))


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="stage", description=__doc__)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--split", action="append", required=True)
    parser.add_argument("--loopback-only", action="store_true", help="no other interface may be up")
    parser.add_argument(
        "--unreachable", action="append", type=netcheck.parse_target, default=[], metavar="HOST:PORT"
    )
    parser.add_argument("--patience", type=float, default=0.0, metavar="SECONDS")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, key: bytes) -> int:
    images = read_manifest(options.source, options.split)
    stage_images(options.source, options.target, images, key)
    found = netcheck.wait_until_offline(options.unreachable, options.loopback_only, options.patience)
    if found:
        raise StageError(EXIT_ONLINE, ", ".join(found))
    return len(images)


def main(arguments: Sequence[str]) -> int:
    """Stage, then prove; prints one JSON line and returns the exit code."""
    options = _arguments(arguments)
    key = bytes.fromhex(os.environ.pop(KEY_VARIABLE, ""))
    try:
        if len(key) < 16:
            raise StageError(1, f"{KEY_VARIABLE} holds no key")
        count = _run(options, key)
    except StageError as error:
        print(json.dumps({"status": "failed", "detail": str(error)}), flush=True)
        return error.exit_code
    print(json.dumps({"status": "staged", "images": count}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
