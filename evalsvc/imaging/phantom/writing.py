"""The stand-in on disk, in the published layout: first the labels; the images are tasks for `drawing`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evalsvc.domain.dataset import Split
from evalsvc.domain.labels import write_labels
from evalsvc.imaging.phantom import provenance
from evalsvc.imaging.phantom.cases import StandIn, Women, draw_women
from evalsvc.imaging.phantom.drawing import Task
from evalsvc.imaging.phantom.streams import Stream, stream
from evalsvc.imaging.png import write_whole

FOLDS: Final = 5


@dataclass(frozen=True)
class Extent:
    """How much of a stand-in to write: which splits, full-size DICOM files of the first `dicom` images of each."""

    splits: tuple[Split, ...] = (Split.TRAIN, Split.PUBLIC, Split.PRIVATE)
    dicom: int = 0
    preprocessed: bool = True


def prepare(root: Path, stand_in: StandIn, extent: Extent) -> list[Task]:
    """Write the labels, folds and provenance; return the images to be drawn.

    Raises `DatasetError` when `root` holds anything but this stand-in.
    """
    known = provenance.claim(root, stand_in)
    drawn = [draw_women(stand_in, split) for split in extent.splits]
    (root / "labels").mkdir(parents=True, exist_ok=True)
    # The mark goes first: a folder without it is taken for real data and left alone.
    provenance.record(root, known, [])
    for women in drawn:
        write_labels(root / "labels" / women.split.label_file, women.table)
        if women.split is Split.TRAIN:
            _write_folds(root / "cross_validation", women, stand_in.seed)
        for kind in _kinds(extent):
            (root / "images" / kind / women.split.value).mkdir(parents=True, exist_ok=True)
    provenance.record(root, known, drawn)
    return [task for women in drawn for task in _tasks(root, women, stand_in.seed, extent)]


def _kinds(extent: Extent) -> list[str]:
    wanted = {"raw": True, "preprocessed": extent.preprocessed, "dicom": extent.dicom > 0}
    return [kind for kind, is_wanted in wanted.items() if is_wanted]


def _tasks(root: Path, women: Women, seed: int, extent: Extent) -> list[Task]:
    tasks = []
    for index, (row, anatomy) in enumerate(zip(women.table.rows, women.anatomies, strict=True)):
        kinds = [kind for kind in _kinds(extent) if kind != "dicom" or index < extent.dicom]
        paths = {kind: root / "images" / kind / women.split.value / row.filename for kind in kinds}
        if "dicom" in paths:
            paths["dicom"] = paths["dicom"].with_suffix(".dcm")
        tasks.append(Task(seed, women.split, index, anatomy, tuple(paths.items())))
    return tasks


def _write_folds(folder: Path, women: Women, seed: int) -> None:
    """One file per fold with the file names of its validation images, one a line; levels are spread evenly."""
    folder.mkdir(parents=True, exist_ok=True)
    luck = stream(seed, women.split, Stream.FOLDS).random(len(women.table.rows))
    by_level = sorted(range(len(luck)), key=lambda index: (women.table.rows[index].level or 0, luck[index]))
    for fold in range(FOLDS):
        names = [women.table.rows[index].filename for index in sorted(by_level[fold::FOLDS])]
        _write_lines(folder / f"CSAW-M_cross_validation_split{fold + 1}.txt", names)


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())
