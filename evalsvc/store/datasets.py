"""The rows of sealed data sets.  Their files are `evalsvc.store.sealing`'s."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from evalsvc.domain.errors import DatasetError, NotFound
from evalsvc.store.sealing import Sealed
from evalsvc.store.tables import Dataset

NAME_LENGTH = 64
_NEWEST_FIRST = (Dataset.imported_at.desc(), Dataset.id.desc())


def import_dataset(session: Session, sealed: Sealed, name: str, now: datetime) -> Dataset:
    """The row of a sealed version; a version that has one already keeps it as it is, name and time included."""
    existing = session.scalar(select(Dataset).where(Dataset.version == sealed.version))
    if existing is not None:
        return existing
    if not 0 < len(name) <= NAME_LENGTH:
        raise DatasetError(f"A data set's name has 1 to {NAME_LENGTH} characters, not {len(name)}: give --name.")
    dataset = Dataset(
        version=sealed.version,
        name=name,
        synthetic=sealed.synthetic,
        images=dict(sealed.images),
        imported_at=now,
    )
    session.add(dataset)
    session.flush()
    return dataset


def current_dataset(session: Session) -> Dataset:
    """The newest data set, which submissions are evaluated on.  Raises `NotFound` where there is none."""
    dataset = session.scalar(select(Dataset).order_by(*_NEWEST_FIRST).limit(1))
    if dataset is None:
        raise NotFound(
            "There is no data set yet: a maintainer imports one with `evalsvc admin dataset import DIR`."
        )
    return dataset


def list_datasets(session: Session) -> Sequence[Dataset]:
    """Every data set, the current one first."""
    return session.scalars(select(Dataset).order_by(*_NEWEST_FIRST)).all()


def find_dataset(session: Session, version: str) -> Dataset:
    """The data set whose version starts with `version`.  Raises `NotFound` unless there is exactly one."""
    found = session.scalars(select(Dataset).where(Dataset.version.startswith(version, autoescape=True))).all()
    if len(found) != 1:
        raise NotFound(
            f"{len(found) or 'No'} data set{'s' if len(found) else ''} of a version that starts with {version!r}: "
            "`evalsvc admin dataset list` shows them."
        )
    return found[0]
