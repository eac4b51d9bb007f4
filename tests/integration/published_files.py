"""Makes small data sets in the published layout, with real PNG files, for the tests to seal and to damage."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np

from evalsvc.domain.dataset import Split
from evalsvc.domain.labels import LabelRow, LabelTable, write_labels

ROWS, COLUMNS = 632, 512


def label_row(filename: str, line: int, level: int | None) -> LabelRow:
    """One image's labels; without a level it is a row of the private file."""
    experts = (float(line),) * 5 if level is None else (float(level),) * 5
    return LabelRow(
        filename=filename,
        line=line,
        level=level,
        experts=experts,
        cancer=line % 3 == 0,
        interval_cancer=False,
        large_invasive_cancer=line % 3 == 0,
        composite=line % 3 == 0,
        laterality="L",
        window_center=2047.0,
        window_width=4096.0,
        photometric_interpretation="MONOCHROME2",
        percent_density=12.5,
        dense_area=20.0,
        breast_area=160.0,
    )


def encode(pixels: np.ndarray) -> bytes:
    done, data = cv2.imencode(".png", pixels)
    assert done
    return data.tobytes()


def grey_png(seed: int) -> bytes:
    """An 8-bit grey PNG that compresses to a few kilobytes; another seed gives other pixels."""
    ramp = np.add.outer(np.arange(ROWS) * (seed + 1), np.arange(COLUMNS)) % 251
    return encode(ramp.astype(np.uint8))


def make_published(folder: Path, public: int = 12, private: int = 6) -> Path:
    """A whole data set below `folder`: public images on levels 1, 2, ..., 8, 1, ..., private ones ranked."""
    (folder / "labels").mkdir(parents=True)
    for split, count in ((Split.PUBLIC, public), (Split.PRIVATE, private)):
        images = folder / "images" / "preprocessed" / split
        images.mkdir(parents=True)
        rows = []
        for number in range(1, count + 1):
            level = (number - 1) % 8 + 1 if split is Split.PUBLIC else None
            rows.append(label_row(f"{split}_{number}.png", number + 1, level))
            (images / f"{split}_{number}.png").write_bytes(grey_png(number + 100 * (split is Split.PRIVATE)))
        write_labels(folder / "labels" / split.label_file, LabelTable(tuple(rows)))
    return folder


def mark_synthetic(folder: Path) -> None:
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "labels").iterdir()}
    (folder / "SYNTHETIC.json").write_text(json.dumps({"labels": digests}))
