"""A folder of originals and a label file in, a folder of 8-bit images out: what to do, and each image's outcome.

Where the label file and a DICOM header both give a value, the label file's counts: it is the published description
of the image, and can be corrected by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evalsvc.domain.errors import EvalsvcError, ImageError, InputError
from evalsvc.domain.labels import LATERALITIES, PHOTOMETRIC_INTERPRETATIONS, LabelRow, LabelTable
from evalsvc.imaging.header import Header
from evalsvc.imaging.png import encode_png, read_png16, write_whole
from evalsvc.imaging.preprocess import DEFAULT_REMOVAL, ImageMetadata, TextRemoval, preprocess
from evalsvc.imaging.raw import resize_to_raw

SUFFIXES: Final = (".png", ".dcm", ".dicom", "")
"""Of files that are taken for originals, in any case; a file without a suffix is taken for a DICOM."""


class Status(StrEnum):
    WRITTEN = "written"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one image; `message` says why it failed."""

    filename: str
    status: Status
    message: str = ""


@dataclass(frozen=True)
class Destination:
    """Where images go.  `raw_out` also keeps the 16-bit raw images; files that exist stay unless `overwrite`."""

    out: Path
    raw_out: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Task:
    """One original to be preprocessed; picklable, so that any process can do it."""

    source: Path
    row: LabelRow
    removal: TextRemoval
    destination: Destination

    @property
    def target(self) -> Path:
        return self.destination.out / f"{Path(self.row.filename).stem}.png"

    @property
    def raw_target(self) -> Path | None:
        return None if self.destination.raw_out is None else self.destination.raw_out / self.target.name


def plan(
    table: LabelTable, originals: Path, destination: Destination, overrides: Mapping[str, TextRemoval]
) -> tuple[list[Task], list[Outcome]]:
    """Match originals and labels by stem.  Returns what can be tried, and the failures known already.

    Raises `InputError` when `originals` is no folder, an override names no image, or two labels share a stem.
    """
    if not originals.is_dir():
        raise InputError(f"{originals} is not a folder; name the one that holds the originals.")
    rows = {Path(row.filename).stem: row for row in table.rows}
    if len(rows) != len(table.rows):
        raise InputError("Two file names of the label file differ in their suffix only; rename one of the images.")
    unknown = sorted(overrides.keys() - {row.filename for row in table.rows})
    if unknown:
        raise InputError(f"The overrides name {unknown[0]}, which is not in the label file; correct the name.")
    found: dict[str, list[Path]] = {}
    for path in sorted(path for path in originals.iterdir() if _is_original(path)):
        found.setdefault(path.stem, []).append(path)
    tasks = [
        Task(found[stem][0], row, overrides.get(row.filename, DEFAULT_REMOVAL), destination)
        for stem, row in rows.items()
        if len(found.get(stem, ())) == 1
    ]
    return tasks, _known_failures(rows, found, originals)


def process(task: Task) -> Outcome:
    """Preprocess one original.  Never raises for what a file holds or a disk refuses: that is the outcome."""
    wanted = [path for path in (task.target, task.raw_target) if path is not None]
    if not task.destination.overwrite and all(path.exists() for path in wanted):
        return Outcome(task.row.filename, Status.SKIPPED)
    try:
        raw, header = read_original(task.source)
        _write(task, raw, resolve(task.source, task.row, header))
    except EvalsvcError as error:
        return Outcome(task.row.filename, Status.FAILED, str(error))
    except Exception as error:  # one image must not stop the others
        return Outcome(task.row.filename, Status.FAILED, f"{task.source}: {type(error).__name__}: {error}")
    return Outcome(task.row.filename, Status.WRITTEN)


def read_original(path: Path) -> tuple[NDArray[np.uint16], Header]:
    """Step 1: the 16-bit raw image of an original, and what its header says (a PNG's says nothing)."""
    if path.suffix.lower() == ".png":
        return resize_to_raw(read_png16(path)), Header()
    # A folder of PNGs does not need pydicom, which takes longer to import than 20 images to preprocess.
    from evalsvc.imaging.dicom import read_dicom

    stored, header = read_dicom(path)
    return resize_to_raw(stored), header


def resolve(path: Path, row: LabelRow, header: Header) -> ImageMetadata:
    """The label's cell, or else the header's.  Raises `ImageError` for what neither has."""
    laterality = row.laterality or header.laterality
    center = header.window_center if row.window_center is None else row.window_center
    width = header.window_width if row.window_width is None else row.window_width
    photometric = row.photometric_interpretation or header.photometric_interpretation
    if laterality not in LATERALITIES:
        raise _missing(path, "laterality (L or R)", laterality, "Dicom_image_laterality")
    if center is None:
        raise _missing(path, "window centre", center, "Dicom_window_center")
    if width is None or width <= 0:
        raise _missing(path, "window width", width, "Dicom_window_width")
    if photometric not in PHOTOMETRIC_INTERPRETATIONS:
        raise _missing(path, "photometric interpretation", photometric, "Dicom_photometric_interpretation")
    return ImageMetadata(laterality, center, width, photometric)


def _write(task: Task, raw: NDArray[np.uint16], metadata: ImageMetadata) -> None:
    try:
        image = preprocess(raw, metadata, task.removal)
    except InputError as error:
        raise ImageError(task.source, str(error)) from error
    if task.raw_target is not None:
        write_whole(task.raw_target, encode_png(raw))
    write_whole(task.target, encode_png(image))


def _is_original(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix.lower() in SUFFIXES


def _known_failures(
    rows: Mapping[str, LabelRow], found: Mapping[str, list[Path]], originals: Path
) -> list[Outcome]:
    missing = [
        Outcome(row.filename, Status.FAILED, f"{row.filename}: in the label file, but not in {originals}.")
        for stem, row in rows.items()
        if stem not in found
    ]
    unlabelled = [
        Outcome(path.name, Status.FAILED, f"{path}: missing from the label file; remove it, or add its row.")
        for stem, paths in found.items()
        for path in paths
        if stem not in rows
    ]
    doubled = [
        Outcome(rows[stem].filename, Status.FAILED, f"{paths[0]}: {paths[1].name} has the same name; keep one.")
        for stem, paths in found.items()
        if stem in rows and len(paths) > 1
    ]
    return missing + unlabelled + doubled


def _missing(path: Path, what: str, value: object, column: str) -> ImageError:
    given = "no" if value is None or value == "" else f"an unusable value ({value}) for the"
    return ImageError(path, f"{given} {what} in the header; fill in {column} in the label file.")
