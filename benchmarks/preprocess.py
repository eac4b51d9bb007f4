"""Images per second of `evalsvc preprocess` against the same steps as a plain single-process OpenCV loop."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from evalsvc.domain.dataset import Split
from evalsvc.domain.labels import LabelRow, LabelTable, read_labels
from evalsvc.imaging.batch import Destination, Status, plan, process
from evalsvc.imaging.parallel import run_all
from evalsvc.imaging.phantom.cases import StandIn
from evalsvc.imaging.phantom.drawing import draw
from evalsvc.imaging.phantom.writing import Extent, prepare

Grey = NDArray[np.uint8]

IMAGES = 400
ROUNDS = 3


def main() -> None:
    jobs = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        extent = Extent((Split.PUBLIC,), preprocessed=False)
        list(run_all(draw, prepare(root, StandIn(0, IMAGES), extent), jobs))
        table = read_labels(root / "labels" / Split.PUBLIC.label_file)
        originals = root / "images" / "raw" / Split.PUBLIC.value
        for name in ("plain", "ours"):
            (root / name).mkdir()
        plain = min(_timed_plain(table, originals, root / "plain") for _ in range(ROUNDS))
        ours = min(_timed_ours(table, originals, root / "ours", jobs) for _ in range(ROUNDS))
        for row in table.rows:
            assert (root / "plain" / row.filename).read_bytes() == (root / "ours" / row.filename).read_bytes()
    count = len(table.rows)
    print(f"{count} images of 16 bits, {jobs} cores, best of {ROUNDS}, output equal byte for byte")
    print(
        f"plain loop: {count / plain:.0f} images/s; evalsvc, starting its processes included: {count / ours:.0f}"
    )
    print(f"preprocess: {plain / ours:.1f}x a plain single-process OpenCV loop")


def _timed_ours(table: LabelTable, originals: Path, out: Path, jobs: int) -> float:
    start = time.perf_counter()
    tasks, failures = plan(table, originals, Destination(out, overwrite=True), {})
    outcomes = list(run_all(process, tasks, jobs))
    elapsed = time.perf_counter() - start
    assert not failures
    assert all(outcome.status is Status.WRITTEN for outcome in outcomes)
    return elapsed


def _timed_plain(table: LabelTable, originals: Path, out: Path) -> float:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    start = time.perf_counter()
    for row in table.rows:
        raw = np.asarray(cv2.imread(str(originals / row.filename), cv2.IMREAD_UNCHANGED), np.uint16)
        cv2.imwrite(str(out / row.filename), _plain(raw, row), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    elapsed = time.perf_counter() - start
    cv2.setNumThreads(threads)
    return elapsed


def _plain(raw: NDArray[np.uint16], row: LabelRow) -> Grey:
    """The published steps, written down one after the other."""
    assert row.window_center is not None
    assert row.window_width is not None
    if row.laterality == "R":
        raw = raw[:, ::-1]
    low, high = row.window_center - row.window_width / 2, row.window_center + row.window_width / 2
    image: Any = ((np.clip(raw.astype(np.float64), low, high) - low) / (high - low) * 255).astype(np.uint8)
    air = int(image.min())
    if row.photometric_interpretation == "MONOCHROME1":
        image = np.asarray(cv2.bitwise_not(image), np.uint8)
    moments = cv2.moments(_largest(image))
    shift = image.shape[1] - 2 * int(moments["m10"] / moments["m00"])
    image = np.pad(image, ((0, 0), (max(shift, 0), max(-shift, 0))), constant_values=air)
    left = max((image.shape[1] - 512) // 2, 0)
    image = image[:632, left : left + 512]
    rows, columns = 632 - image.shape[0], 512 - image.shape[1]
    image = np.pad(image, ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)))
    return _without_text(image.copy(), air)


def _without_text(image: Grey, air: int) -> Grey:
    breast = _largest(image)
    rest: Any = cv2.drawContours((image > 0).astype(np.uint8), [breast], -1, 0, cv2.FILLED)
    rest = cv2.dilate(rest, cv2.getStructuringElement(cv2.MORPH_RECT, (10, 10)))
    chest_wall = breast[breast[:, 0, 0] == breast[:, 0, 0].min()]
    furthest, text = 0, None
    for contour in cv2.findContours(rest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        x, y, width, _ = cv2.boundingRect(contour)
        if 10 < cv2.contourArea(contour) < 10_000 and y <= chest_wall[:, 0, 1].max() and x + width > furthest:
            furthest, text = x + width, contour
    if text is not None:
        cv2.drawContours(image, [text], -1, air, cv2.FILLED)
    return image


def _largest(image: Grey) -> NDArray[np.int32]:
    contours, _ = cv2.findContours((image > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return np.asarray(max(contours, key=cv2.contourArea), np.int32)
