"""Drawing one image of the stand-in, in any process: nothing here needs to know the other images or the labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalsvc.domain.dataset import Split
from evalsvc.imaging.phantom.anatomy import Anatomy
from evalsvc.imaging.phantom.render import render
from evalsvc.imaging.phantom.streams import Stream, stream
from evalsvc.imaging.png import encode_png, write_whole
from evalsvc.imaging.preprocess import preprocess


@dataclass(frozen=True)
class Task:
    """One image to be drawn; picklable.  `targets` maps a kind (raw, preprocessed, dicom) to a file."""

    seed: int
    split: Split
    index: int
    anatomy: Anatomy
    targets: tuple[tuple[str, Path], ...]


def draw(task: Task) -> bool:
    """Draw one image and write what is missing of it.  Returns whether anything was."""
    missing = [(kind, path) for kind, path in task.targets if not path.exists()]
    if not missing:
        return False
    raw = render(task.anatomy, stream(task.seed, task.split, Stream.PIXELS, task.index))
    for kind, path in missing:
        write_whole(path, _encoded(kind, raw, task.anatomy, path.stem))
    return True


def _encoded(kind: str, raw: NDArray[np.uint16], anatomy: Anatomy, name: str) -> bytes:
    if kind == "dicom":
        # Only these few need pydicom, which takes longer to import than an image to draw.
        from evalsvc.imaging.phantom.full_size import encode_dicom, enlarge

        return encode_dicom(enlarge(raw), anatomy.metadata, name)
    return encode_png(raw if kind == "raw" else preprocess(raw, anatomy.metadata))
