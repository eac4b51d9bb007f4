"""Predictions and logs as files named by their SHA-256: rows point to them, and damage cannot pass unseen."""

import hashlib
from pathlib import Path

from evalsvc.domain.dataset import is_sha256
from evalsvc.domain.errors import DatasetError, NotFound
from evalsvc.store.durable import UnusableFile, make_folder, read_file, replace_file, sync_folder

_FILE_MODE = 0o600


class Blobs:
    """A folder of blobs, made when the first one is stored."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes) -> str:
        """Store `data` and return its SHA-256; once this returns, a power cut does not lose it."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        if not self._holds(path, data):
            make_folder(self._root)
            make_folder(path.parent)
            sync_folder(self._root)
            replace_file(path, data, _FILE_MODE)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes.  Raises `NotFound`, or `DatasetError` when they are no longer those that were stored."""
        path = self._path(digest)
        if not path.exists():
            raise NotFound(f"The file {digest} is not in {self._root}: restore it from a backup.")
        try:
            data = read_file(path)
        except UnusableFile as error:
            raise DatasetError(f"{path} {error}.") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise DatasetError(f"{path} has changed since it was stored: restore it from a backup.")
        return data

    def _path(self, digest: str) -> Path:
        """256 folders, so that none grows long."""
        if not is_sha256(digest):
            raise NotFound(f"{digest!r} is not a SHA-256.")
        return self._root / digest[:2] / digest

    def _holds(self, path: Path, data: bytes) -> bool:
        try:
            return read_file(path) == data
        except UnusableFile:
            return False
