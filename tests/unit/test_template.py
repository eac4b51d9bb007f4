"""The template is run as a researcher runs it, so that what everybody starts from always works."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

TEMPLATE = Path(__file__).parents[2] / "submission_template"


def breast(dense_rows: int) -> np.ndarray:
    """A half disc of fat (grey 90) on black, with `dense_rows` rows of bright tissue through its middle."""
    image = np.zeros((632, 512), np.uint8)
    cv2.ellipse(image, (0, 316), (300, 250), 0, -90, 90, 90, -1)
    band = image[316 : 316 + dense_rows]
    band[band > 0] = 200
    return image


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "EVALSVC_INPUT": str(folder / "in"), "EVALSVC_OUTPUT": str(folder / "out")}
    command = [sys.executable, str(TEMPLATE / "predict.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`in/` with three images of rising density, and an empty `out/`."""
    images = tmp_path / "in" / "images"
    images.mkdir(parents=True)
    (tmp_path / "out").mkdir()
    for name, rows in (("a.png", 10), ("b.png", 80), ("c.png", 160)):
        cv2.imwrite(str(images / name), breast(rows))
    (tmp_path / "in" / "images.csv").write_text("Filename\nc.png\na.png\nb.png\n")
    return tmp_path


def test_writes_one_score_per_listed_image_and_denser_scores_higher(folder: Path) -> None:
    result = run(folder)
    assert result.returncode == 0, result.stderr
    assert "3 of 3 images" in result.stderr
    with (folder / "out" / "predictions.csv").open(newline="") as file:
        scores = {row["Filename"]: float(row["Score"]) for row in csv.DictReader(file)}
    assert list(scores) == ["c.png", "a.png", "b.png"]
    assert scores["a.png"] < scores["b.png"] < scores["c.png"]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"no image")])
def test_an_unreadable_image_stops_it_and_is_named(folder: Path, damage) -> None:  # noqa: ANN001
    damage(folder / "in" / "images" / "b.png")
    result = run(folder)
    assert result.returncode == 1
    assert "cannot read the image" in result.stderr
    assert "b.png" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "out" / "predictions.csv").exists()


def test_a_black_image_gets_a_finite_score(folder: Path) -> None:
    cv2.imwrite(str(folder / "in" / "images" / "a.png"), np.zeros((632, 512), np.uint8))
    assert run(folder).returncode == 0
    assert "a.png,0.0" in (folder / "out" / "predictions.csv").read_text()


def test_it_needs_nothing_but_its_own_requirements(folder: Path, tmp_path: Path) -> None:
    """A submission cannot import evalsvc: what it imports is in the standard library or in requirements.txt."""
    names = {line.split("==")[0] for line in (TEMPLATE / "requirements.txt").read_text().split()}
    assert names == {"numpy", "opencv-python-headless"}
    allowed = {"numpy", "cv2", "density", *sys.stdlib_module_names}
    for source in TEMPLATE.glob("*.py"):
        imported = [
            line.split()[1] for line in source.read_text().splitlines() if line.startswith(("import ", "from "))
        ]
        assert set(imported) <= allowed


def test_the_model_can_be_replaced_by_changing_one_line(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(TEMPLATE, own, ignore=shutil.ignore_patterns("__pycache__", "density.py"))
    (own / "mine.py").write_text(
        "def load_model():\n    return 7\n\n\ndef score_image(model, image):\n    return model\n"
    )
    program = own / "predict.py"
    changed = program.read_text().replace("from density import", "from mine import")
    program.write_text(changed)
    environment = {**os.environ, "EVALSVC_INPUT": str(folder / "in"), "EVALSVC_OUTPUT": str(folder / "out")}
    subprocess.run([sys.executable, str(program)], env=environment, check=True, capture_output=True, timeout=60)
    assert (folder / "out" / "predictions.csv").read_text().splitlines()[1:] == ["c.png,7", "a.png,7", "b.png,7"]
