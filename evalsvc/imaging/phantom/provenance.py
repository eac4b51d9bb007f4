"""`SYNTHETIC.json`: what marks a data set as the stand-in, and keeps it from being written over a real one.

A data set counts as synthetic when this file lists the SHA-256 of each of its label files, as they are now.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from evalsvc.domain.errors import DatasetError
from evalsvc.imaging.phantom.cases import StandIn, Women
from evalsvc.imaging.png import write_whole

NAME: Final = "SYNTHETIC.json"
_GENERATOR: Final = "evalsvc data synthesize"
_VERSION: Final = 1
"""To be raised whenever the same seed gives other labels or images."""


def claim(root: Path, stand_in: StandIn) -> dict[str, Any]:
    """What is known of the stand-in in `root` so far.

    Raises `DatasetError` when the folder holds something else: another stand-in, or a data set of unknown origin.
    """
    origin = {
        "synthetic": True,
        "generator": _GENERATOR,
        "version": _VERSION,
        "seed": stand_in.seed,
        "images": stand_in.images,
    }
    if not (root / NAME).exists():
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise DatasetError(f"{root} is not empty and has no {NAME}: it may be real data. Choose a new folder.")
        return {**origin, "splits": {}, "labels": {}}
    try:
        known = json.loads((root / NAME).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"{root / NAME} is not JSON any more; choose a new folder.") from error
    if not isinstance(known, dict) or {key: known.get(key) for key in origin} != origin:
        raise DatasetError(
            f"{root} holds a stand-in with another seed, size or generator; choose a new folder, or delete it."
        )
    return known


def record(root: Path, known: dict[str, Any], drawn: Iterable[Women]) -> None:
    """Write `SYNTHETIC.json` for label files that are in place, next to what was `known` before."""
    splits, labels = dict(known["splits"]), dict(known["labels"])
    for women in drawn:
        splits[women.split.value] = _counts(women)
        data = (root / "labels" / women.split.label_file).read_bytes()
        labels[women.split.label_file] = hashlib.sha256(data).hexdigest()
    text = json.dumps({**known, "splits": splits, "labels": labels}, indent=2) + "\n"
    write_whole(root / NAME, text.encode())


def _counts(women: Women) -> dict[str, int]:
    rows = women.table.rows
    return {
        "images": len(rows),
        "cancer": sum(row.cancer for row in rows),
        "interval_cancer": sum(row.interval_cancer for row in rows),
        "large_invasive_cancer": sum(row.large_invasive_cancer for row in rows),
        "composite": sum(row.composite for row in rows),
    }
