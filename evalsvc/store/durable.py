"""Files that are there completely or not at all, also after a power cut; and reads that no link can redirect."""

import os
import stat
import tempfile
from pathlib import Path

PRIVATE_FOLDER = 0o700
"""For the service's own user alone, like every file here."""


class UnusableFile(Exception):
    """What is wrong with one file, as the end of a sentence that the caller begins with the file's name."""


def make_folder(path: Path) -> None:
    """Make `path` and its parents where they are missing, `path` itself for the owner alone."""
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


def write_file(path: Path, data: bytes, mode: int) -> None:
    """Write a new file and its content to the disk itself.  Raises `FileExistsError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # a umask may only have taken bits away: 0400 stays 0400
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Put `data` at `path` in one step: a reader sees the old file or the new one, never a part."""
    folder = tempfile.mkdtemp(prefix=".writing-", dir=path.parent)
    temporary = Path(folder, path.name)
    try:
        write_file(temporary, data, mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        Path(folder).rmdir()
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: Path) -> bytes:
    """The content of a regular file.  Raises `UnusableFile` for a link or anything else, and if it is missing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnusableFile(_open_problem(path, error)) from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnusableFile("is not a regular file")
        try:
            return file.read()
        except OSError as error:
            raise UnusableFile(f"cannot be read ({error.strerror})") from error


def _open_problem(path: Path, error: OSError) -> str:
    if path.is_symlink():
        return "is a symbolic link; put the file itself there"
    return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
