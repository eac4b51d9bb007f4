"""The program the service runs, once, without arguments: scores every image of /input/images.csv.

To use your own model, write a file with the two functions of density.py and import it in the marked line.
"""

import csv
import os
import sys
from pathlib import Path

import cv2
import numpy as np
from density import load_model, score_image  # <- your model here

INPUT = Path(os.environ.get("EVALSVC_INPUT", "/input"))
OUTPUT = Path(os.environ.get("EVALSVC_OUTPUT", "/output"))
REPORT_EVERY = 100


def read_names(path: Path) -> list[str]:
    """The file names to score, from the column `Filename`."""
    with path.open(newline="", encoding="utf-8") as file:
        return [row["Filename"] for row in csv.DictReader(file)]


def read_image(path: Path) -> np.ndarray:
    """One 8-bit grey image, 632 rows x 512 columns.  Stops the program, naming the file, if it cannot be read."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise SystemExit(f"cannot read the image {path}")
    return image


def score_all(names: list[str]) -> list[float]:
    """One finite score per image; higher means more masking.  Score in batches here if your model likes them."""
    model = load_model()
    scores = []
    for count, name in enumerate(names, start=1):
        scores.append(score_image(model, read_image(INPUT / "images" / name)))
        if count % REPORT_EVERY == 0 or count == len(names):
            print(f"{count} of {len(names)} images", file=sys.stderr, flush=True)
    return scores


def write_predictions(path: Path, names: list[str], scores: list[float]) -> None:
    """Every name once.  A third column `Level` with whole numbers 1-8 may be added."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Filename", "Score"])
        writer.writerows(zip(names, scores, strict=True))


if __name__ == "__main__":
    names = read_names(INPUT / "images.csv")
    write_predictions(OUTPUT / "predictions.csv", names, score_all(names))
