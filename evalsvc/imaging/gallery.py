"""The picture of the stand-in in docs/data.md: `python -m evalsvc.imaging.gallery FILE` draws it again."""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from evalsvc.domain.dataset import Split
from evalsvc.domain.labels import LEVELS
from evalsvc.imaging.phantom.cases import StandIn, Women, draw_women
from evalsvc.imaging.phantom.render import render
from evalsvc.imaging.phantom.streams import Stream, stream
from evalsvc.imaging.png import encode_png, write_whole
from evalsvc.imaging.preprocess import preprocess

_COLUMNS, _HEIGHT, _WIDTH, _GAP = 4, 474, 384, 8


def gallery(seed: int = 0) -> NDArray[np.uint8]:
    """Eight preprocessed images of the public test split, one per level 1 to 8, in two rows, reading order."""
    women = draw_women(StandIn(seed), Split.PUBLIC)
    tiles = [_tile(women, _typical(women, level), seed) for level in LEVELS]
    rows = [np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)]
    return np.vstack(rows)


def _typical(women: Women, level: int) -> int:
    """The image whose latent is the median of its level's, among those from the larger detector."""
    members = [
        (float(women.latent[index]), index)
        for index, row in enumerate(women.table.rows)
        if row.level == level and not women.anatomies[index].small
    ]
    return sorted(members)[len(members) // 2][1]


def _tile(women: Women, index: int, seed: int) -> NDArray[np.uint8]:
    anatomy = women.anatomies[index]
    raw = render(anatomy, stream(seed, women.split, Stream.PIXELS, index))
    image = cv2.resize(preprocess(raw, anatomy.metadata), (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    return np.pad(image.astype(np.uint8), _GAP // 2, constant_values=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    write_whole(parser.parse_args().file, encode_png(gallery()))


if __name__ == "__main__":
    main()
