"""`evalsvc score` as a person meets it: real processes on files in the published columns."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from scipy.stats import kendalltau
from sklearn.metrics import f1_score, roc_auc_score

EVALSVC = str(Path(sys.executable).parent / "evalsvc")
REST = (
    "If_cancer;If_interval_cancer;If_large_invasive_cancer;If_composite;Dicom_image_laterality;"
    "Dicom_window_center;Dicom_window_width;Dicom_photometric_interpretation;Libra_percent_density;"
    "Libra_dense_area;Libra_breast_area"
)
EXPERTS = ";".join(f"Expert_{number}" for number in range(1, 6))
IMAGES = 80

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [EVALSVC, "score", *words], cwd=tmp_path, input=stdin, capture_output=True, text=True, check=False,
            env={"COLUMNS": "80", "PATH": ""},
        )  # fmt: skip

    return run


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    """Labels of the three splits and predictions for each; image k has hidden masking k, but for some noise."""
    random = Random(1)
    for split, header in (("private", EXPERTS), ("test", f"Label;{EXPERTS}"), ("train", "Label")):
        lines, rows = [f"Filename;{header};{REST}"], ["Filename,Score"]
        for k in range(IMAGES):
            # Positions in a list half as long again; levels one apart.
            positions = [1 + (3 * k) // 2 + random.randrange(9) for _ in range(5)]
            levels = [min(8, max(1, 1 + k // 10 + random.choice((-1, 0, 1)))) for _ in range(5)]
            marks = {"private": positions, "test": [sorted(levels)[2], *levels], "train": levels[:1]}[split]
            interval, large = random.random() < 0.2 + k / 200, random.random() < 0.3
            endpoints = [interval or large, interval, large, interval or large]
            cells = [*marks, *map(int, endpoints), "L", 2047, 4096, "MONOCHROME2", round(20 + k / 4, 1), k % 9, 90]
            lines.append(";".join(map(str, [f"{split}_{k}.png", *cells])))
            rows.append(f"{split}_{k}.png,{k + random.randrange(-20, 20)}")
        (tmp_path / f"{split}.csv").write_text("\n".join(lines) + "\n")
        (tmp_path / f"{split}_predictions.csv").write_text("\n".join(rows) + "\n")


def columns(path: Path, separator: str) -> dict[str, list[Any]]:
    """The columns of a file, read without any code of ours."""
    header, *rows = [line.split(separator) for line in path.read_text().splitlines()]
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def test_the_json_of_the_public_split_agrees_with_scipy_and_scikit_learn(run: Run, tmp_path: Path) -> None:
    done = run("test.csv", "test_predictions.csv", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["split"], report["images"], report["rank"]) == ("public", IMAGES, None)

    labels = columns(tmp_path / "test.csv", ";")
    score = [float(cell) for cell in columns(tmp_path / "test_predictions.csv", ",")["Score"]]
    label = [int(cell) for cell in labels["Label"]]
    expert = [int(cell) for cell in labels["Expert_2"]]
    interval = [int(cell) for cell in labels["If_interval_cancer"]]
    tau = kendalltau(score, label).statistic
    assert report["level"]["tau_b"] == {"value": pytest.approx(tau, abs=1e-12), "low": None, "high": None}
    assert report["experts"]["Expert_2"]["tau_b"]["value"] == pytest.approx(
        kendalltau(expert, label).statistic, abs=1e-12
    )
    assert report["endpoints"]["interval_cancer"]["auc"]["value"] == pytest.approx(
        roc_auc_score(interval, score), abs=1e-12
    )
    levels = {name: str(min(8, max(1, round(s / 10)))) for name, s in zip(labels["Filename"], score, strict=True)}
    rows = [f"{name};{s};{levels[name]}" for name, s in zip(labels["Filename"], score, strict=True)]
    done = run("test.csv", "-", "--json", stdin="\n".join(["filename;score;level", *rows]))
    assert json.loads(done.stdout)["level"]["f1_high"]["value"] == pytest.approx(
        f1_score([value > 6 for value in label], [int(value) > 6 for value in levels.values()]), abs=1e-12
    )


def test_the_private_split_is_scored_by_ranks_too(run: Run) -> None:
    report = json.loads(run("private.csv", "private_predictions.csv", "--json").stdout)
    assert report["split"] == "private"
    assert 0.5 < report["rank"]["tau_b"]["value"] < 1
    assert 1 < report["rank"]["amae"]["value"] < IMAGES / 2
    assert report["agreement"]["scale"] == "rank"


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("private", ["private split, 80 images", "AMAE in ranks", "F1 high", "interval cancer", "Expert 5", "E5"]),
        ("test", ["public split, 80 images", "AMAE in levels", "percent density", "OR 4", "median"]),
        ("train", ["public split, 80 images", "F1 low", "dense area", "label"]),
    ],
)
def test_people_get_tables_that_fit_80_columns(run: Run, split: str, words: list[str]) -> None:
    done = run(f"{split}.csv", f"{split}_predictions.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert [word for word in words if word not in done.stdout] == []
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    report = json.loads(run(f"{split}.csv", f"{split}_predictions.csv", "--json").stdout)
    assert f"{report['level']['f1_low']['value']:.4f}" in done.stdout
    assert f"{report['endpoints']['composite']['auc']['value']:.4f}" in done.stdout


def test_what_is_undefined_is_said_with_its_reason(run: Run) -> None:
    constant = "Filename,Score\n" + "".join(f"test_{k}.png,1\n" for k in range(IMAGES))
    done = run("test.csv", "-", stdin=constant)
    assert done.returncode == 0
    assert "-  Every score is the same, so there is no order to compare." in done.stdout.splitlines()
    level = json.loads(run("test.csv", "-", "--json", stdin=constant).stdout)["level"]
    assert level["tau_b"]["value"] is None
    assert level["tau_b"]["reason"] == "Every score is the same, so there is no order to compare."


@pytest.mark.parametrize(
    ("labels", "predictions", "stdin", "message"),
    [
        ("test.csv", "train_predictions.csv", "",
         "train_predictions.csv:2: 'train_0.png' is not one of the 80 images; use the names of the image files."),
        ("test.csv", "-", "Filename,Score\ntest_0.png,1\n",
         "-: No row for 79 of the 80 images, the first being 'test_1.png'; give every image one row."),
        ("test.csv", "-", "Filename;Score\ntest_0.png;0,5\n",
         "-:2: the score '0,5' has a decimal comma; write a point, like 0.5."),
        ("test.csv", "nowhere.csv", "",
         "nowhere.csv: cannot be read (No such file or directory); check the path."),
        ("test.csv", ".", "", ".: cannot be read (Is a directory); check the path."),
        ("test.csv", "/dev/zero", "",
         "/dev/zero: The file has more than the 4194304 bytes allowed; write one row per image."),
        ("test_predictions.csv", "test_predictions.csv", "",
         "test_predictions.csv:1: cells are separated by ','; label files use ';'."),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_sentence_with_file_and_line(
    run: Run, labels: str, predictions: str, stdin: str, message: str
) -> None:
    done = run(labels, predictions, stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", f"error: {message}\n")


def test_the_command_line_starts_without_numpy_and_scipy() -> None:
    code = "import sys, evalsvc.cli.app; print([m for m in ('numpy', 'scipy', 'rich.table') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
