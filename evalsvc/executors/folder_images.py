"""Images of the process executor: folders with a `predict.py`, copied aside under the hash of their content."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from evalsvc.domain.errors import ImageRefused, NotFound
from evalsvc.domain.image import ResolvedImage

PROGRAM: Final = "predict.py"
PREFIX: Final = "folder-sha256:"
_SKIPPED: Final = frozenset({"__pycache__", ".git", ".venv", "venv", ".mypy_cache", ".ruff_cache"})


class FolderImages:
    """Resolves a folder by copying it into `state`, so that later changes do not change a submission."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def resolve(self, reference: str) -> ResolvedImage:
        """Raises `NotFound` when there is no `predict.py`, `ImageRefused` for links and other special files."""
        folder = Path(reference).expanduser()
        if not (folder / PROGRAM).is_file():
            raise NotFound(
                f"{reference} is not a folder with a {PROGRAM}. Without Docker a submission is such a folder; "
                "`evalsvc init DIR` makes one."
            )
        files = sorted(_plain_files(folder))
        digest = _digest(folder, files)
        self._snapshot(folder, files, digest)
        return ResolvedImage(
            reference=reference,
            digest=digest,
            platform="linux/amd64",
            size=sum((folder / name).stat().st_size for name in files),
            command=(sys.executable, PROGRAM),
            environment=(),
            volumes=(),
        )

    def _snapshot(self, folder: Path, files: list[str], digest: str) -> None:
        """Copy, then move into place in one step; whoever comes second finds it there."""
        place = snapshot_of(self._state, digest)
        if place.is_dir():
            return
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy = Path(tempfile.mkdtemp(prefix=".copy-", dir=place.parent))
        try:
            for name in files:
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, copy / name)
            if _digest(copy, files) != digest:
                raise ImageRefused(f"{folder} changed while it was read. Submit it again.")
            copy.rename(place)
        except OSError:
            if not place.is_dir():
                raise
        finally:
            shutil.rmtree(copy, ignore_errors=True)


def snapshot_of(state: Path, digest: str) -> Path:
    """Where the snapshot of `digest` lies (or would)."""
    return state / "images" / digest.removeprefix(PREFIX)


def _plain_files(folder: Path) -> Iterator[str]:
    """The paths below `folder` of all that belongs to a submission."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        for name in (*folders, *names):
            path = Path(root) / name
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise ImageRefused(f"{path} is a link or a special file; put a plain file there.")
            if path.is_file():
                yield path.relative_to(folder).as_posix()


def _digest(folder: Path, files: list[str]) -> str:
    seen = hashlib.sha256()
    for name in files:
        with (folder / name).open("rb") as reader:
            content = hashlib.file_digest(reader, "sha256").digest()
        seen.update(f"{len(name.encode())}:{name}".encode() + content)
    return f"{PREFIX}{seen.hexdigest()}"
