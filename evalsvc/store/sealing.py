"""The files of sealed data sets: verified once, then kept such that a change of any byte is found.

    <data folder>/datasets/<version>/
        seal.json         every file's SHA-256; its own is the version
        images/           what a private run's stage step mounts: manifest.json, test/, private/
        sample/           what a trial's stage step mounts: manifest.json, sample/
        labels/           never mounted anywhere

A version appears by one rename, complete, or not at all.  Everything is for the service's own user alone, and
whatever cannot be proven unchanged is refused.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evalsvc.domain.dataset import Manifest, Seal, Split, is_sha256
from evalsvc.domain.errors import DatasetError, Unavailable
from evalsvc.domain.labels import LabelTable, read_labels
from evalsvc.store.durable import UnusableFile, make_folder, read_file, sync_folder
from evalsvc.store.published import listing, read_published
from evalsvc.store.sealed_copy import SEAL, THREADS, Progress, write_copy

_UNFINISHED: Final = ".sealing-"


def silent(done: int, total: int) -> None:
    """Shows no progress."""


@dataclass(frozen=True)
class Sealed:
    """A data set that lies sealed in the data folder; `images` counts those of each split."""

    version: str
    synthetic: bool
    images: Mapping[str, int]


def seal(source: Path, store_root: Path, progress: Progress = silent) -> Sealed:
    """Verify the published layout below `source` and keep a sealed copy; the same content is kept once.

    Raises `DatasetError` with every problem found: nothing is kept then.
    """
    try:
        return _seal_copy(source, store_root, progress)
    except OSError as error:
        raise Unavailable(
            f"The data set could not be kept in {store_root} ({error.strerror}): make room or set its "
            "permissions, then import again. Nothing is left half imported."
        ) from error


def verify(store_root: Path, version: str, progress: Progress = silent) -> None:
    """Read every sealed file again.  Raises `DatasetError` naming what changed, is missing or was added."""
    folder, expected = _folder(store_root, version), _seal(store_root, version).files()
    present = set(_files(folder)) - {SEAL}
    problems = [f"{name}: is missing" for name in sorted(expected.keys() - present)]
    problems += [f"{name}: was added" for name in sorted(present - expected.keys())]
    known = sorted(expected.keys() & present)
    with ThreadPoolExecutor(THREADS) as pool:
        for done, problem in enumerate(pool.map(lambda name: _change(folder, name, expected[name]), known), 1):
            problems += problem
            progress(done, len(known))
    if problems:
        raise _broken(folder, problems)


def manifest(store_root: Path, version: str, sample: bool = False) -> Manifest:
    """The sealed images of a run, or of a trial.  Raises `DatasetError` when the file is not the sealed one."""
    record = _seal(store_root, version)
    _checked(store_root, version, record, f"{'sample' if sample else 'images'}/manifest.json")
    return record.sample if sample else record.images


def load_labels(store_root: Path, version: str, split: Split) -> LabelTable:
    """The sealed labels of a split.  Raises `DatasetError` when the file is not the sealed one."""
    return read_labels(_checked(store_root, version, _seal(store_root, version), f"labels/{split.label_file}"))


def image_folder(store_root: Path, version: str, sample: bool = False) -> Path:
    """The folder that the stage step of a run, or of a trial, may mount.  There is no label below it."""
    return _folder(store_root, version) / ("sample" if sample else "images")


def _folder(store_root: Path, version: str) -> Path:
    if not is_sha256(version):
        raise DatasetError(f"{version!r} is not a data set's version: `evalsvc admin dataset list` shows them.")
    return store_root / "datasets" / version


def _seal(store_root: Path, version: str) -> Seal:
    """The seal, once its own hash is known to be the version."""
    folder = _folder(store_root, version)
    try:
        data = read_file(folder / SEAL)
    except UnusableFile as error:
        raise _broken(folder, [f"{SEAL}: {error}"]) from error
    if hashlib.sha256(data).hexdigest() != version:
        raise _broken(folder, [f"{SEAL}: has changed"])
    return Seal.from_json(data.decode())


def _checked(store_root: Path, version: str, record: Seal, name: str) -> Path:
    """The path of a sealed file that has not changed."""
    folder = _folder(store_root, version)
    expected = record.files().get(name)
    if expected is None:
        raise DatasetError(f"The data set {version[:12]} has no {name}.")
    problems = _change(folder, name, expected)
    if problems:
        raise _broken(folder, problems)
    return folder / name


def _change(folder: Path, name: str, expected: str) -> list[str]:
    """What happened to a file since it was sealed; empty when nothing did."""
    try:
        data = read_file(folder / name)
    except UnusableFile as error:
        return [f"{name}: {error}"]
    return [] if hashlib.sha256(data).hexdigest() == expected else [f"{name}: has changed"]


def _broken(folder: Path, problems: list[str]) -> DatasetError:
    return DatasetError(
        f"The sealed data set in {folder} is not what was imported, so it is not used: restore it from a backup, "
        f"or move it away and import it again.{listing(problems)}"
    )


def _files(folder: Path) -> Iterator[str]:
    """Everything below `folder` that is not a real folder, as paths relative to it."""
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        yield from (Path(parent, name).relative_to(folder).as_posix() for name in [*files, *links])


def _seal_copy(source: Path, store_root: Path, progress: Progress) -> Sealed:
    published = read_published(source)
    datasets = store_root / "datasets"
    make_folder(datasets)
    with _only_one_import(datasets), _workspace(datasets) as workspace:
        record = write_copy(published, workspace, progress)
        final = datasets / record.version
        if final.exists():
            verify(store_root, record.version, progress)
        else:
            workspace.rename(final)
            sync_folder(datasets)
    return Sealed(record.version, record.synthetic, record.counts)


@contextmanager
def _only_one_import(datasets: Path) -> Iterator[None]:
    """Hold the folder's lock, and remove what an import that was killed has left."""
    descriptor = os.open(datasets / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for left in datasets.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _workspace(datasets: Path) -> Iterator[Path]:
    """A folder on the file system of the final one; gone afterwards unless it was renamed."""
    workspace = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=datasets))
    try:
        yield workspace
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
