"""`evalsvc preprocess` and `evalsvc data synthesize`, typed as a user types them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evalsvc.imaging.png import encode_png

EVALSVC = str(Path(sys.executable).with_name("evalsvc"))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [EVALSVC, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six public test images, two of them as DICOM too."""
    root = tmp_path_factory.mktemp("data") / "csaw-m"
    done = run("data", "synthesize", root, "--images", 6, "--split", "test", "--dicom", 2, "--jobs", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"6 test images, 6 of them new -> {root}\n"
    return root


def raw_and_labels(root: Path) -> tuple[object, ...]:
    return "--labels", root / "labels/CSAW-M_test.csv", root / "images/raw/test"


def same(first: Path, second: Path, names: list[str]) -> bool:
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


ALL = [f"test_{number}.png" for number in range(1, 7)]


def test_raw_images_give_the_very_bytes_of_the_stand_in(stand_in: Path, tmp_path: Path) -> None:
    done = run("preprocess", *raw_and_labels(stand_in), tmp_path / "out", "--jobs", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"6 images: 6 written, 0 skipped, 0 failed -> {tmp_path / 'out'}\n"
    assert same(tmp_path / "out", stand_in / "images/preprocessed/test", ALL)


def test_dicom_gives_them_too_and_reports_the_labels_without_an_image(stand_in: Path, tmp_path: Path) -> None:
    labels = stand_in / "labels/CSAW-M_test.csv"
    out, raw = tmp_path / "out", tmp_path / "raw"
    done = run("preprocess", "--labels", labels, stand_in / "images/dicom/test", out, "--raw-out", raw, "--json")
    result = json.loads(done.stdout)
    assert done.returncode == 3
    assert (result["written"], result["failed"]) == (2, 4)
    assert [failure["filename"] for failure in result["failures"]] == ALL[2:]
    assert same(out, stand_in / "images/preprocessed/test", ALL[:2])
    assert same(raw, stand_in / "images/raw/test", ALL[:2])


def test_it_resumes_and_overwrites_on_request(stand_in: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("preprocess", *raw_and_labels(stand_in), out)
    (out / "test_3.png").unlink()
    (out / "test_4.png").write_bytes(b"kept")
    assert "1 written, 5 skipped" in run("preprocess", *raw_and_labels(stand_in), out).stdout
    assert (out / "test_4.png").read_bytes() == b"kept"
    assert "6 written" in run("preprocess", *raw_and_labels(stand_in), out, "--overwrite").stdout
    assert same(out, stand_in / "images/preprocessed/test", ALL)


def test_overrides_change_their_image_alone(stand_in: Path, tmp_path: Path) -> None:
    plain = stand_in / "images/preprocessed/test"
    (tmp_path / "overrides.csv").write_text(
        "Filename;Kernel;Min_area;Max_area;Skip\n" + "".join(f"{name};;;;1\n" for name in ALL[:5])
    )
    arguments = (*raw_and_labels(stand_in), tmp_path / "out", "--overrides", tmp_path / "overrides.csv")
    assert run("preprocess", *arguments).returncode == 0
    assert same(tmp_path / "out", plain, ALL[5:])
    assert not same(tmp_path / "out", plain, ALL[:5])


def test_each_bad_file_is_named_and_the_others_are_done(stand_in: Path, tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    good = (stand_in / "images/raw/test/test_1.png").read_bytes()
    dicom = (stand_in / "images/dicom/test/test_2.dcm").read_bytes()
    (raw / "test_1.png").write_bytes(good)
    (raw / "test_2.dcm").write_bytes(dicom[: len(dicom) // 2])
    (raw / "test_3.dcm").write_bytes(b"not a DICOM")
    (raw / "test_4.png").write_bytes(encode_png(np.zeros((632, 512), np.uint16)))
    (raw / "test_5.png").write_bytes(good)
    (raw / "test_77.png").write_bytes(good)
    labels = tmp_path / "labels.csv"
    lines = (stand_in / "labels/CSAW-M_test.csv").read_text().splitlines(keepends=True)
    cells = lines[5].split(";")
    lines[5] = ";".join([*cells[:12], "", *cells[13:]])  # test_5: no window centre
    labels.write_text("".join(lines))
    done = run("preprocess", "--labels", labels, raw, out, "--json", "--jobs", 1)
    assert done.returncode == 3
    assert "6 of 7 images failed. Mend these and run it again: the rest is kept." in done.stderr
    assert "Traceback" not in done.stderr
    said = {failure["filename"]: failure["error"] for failure in json.loads(done.stdout)["failures"]}
    assert "truncated" in said.pop("test_2.png")
    assert "is not a DICOM file" in said.pop("test_3.png")
    assert "no breast found" in said.pop("test_4.png")
    assert "no window centre" in said.pop("test_5.png")
    assert "in the label file, but not in" in said.pop("test_6.png")
    assert "missing from the label file" in said.pop("test_77.png")
    assert not said
    assert [path.name for path in out.iterdir()] == ["test_1.png"]
    assert same(out, stand_in / "images/preprocessed/test", ["test_1.png"])


def test_a_bad_label_file_is_one_sentence(stand_in: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text((stand_in / "labels/CSAW-M_test.csv").read_text().replace("MONOCHROME", "COLOUR"))
    done = run("preprocess", "--labels", labels, stand_in / "images/raw/test", tmp_path / "out")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {labels}:2: Dicom_photometric_interpretation is 'COLOUR")
    assert done.stderr.count("\n") == 1


def test_an_output_folder_that_cannot_be_made(stand_in: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("preprocess", *raw_and_labels(stand_in), tmp_path / "file" / "out")
    assert done.returncode == 3
    assert "cannot be made" in done.stderr
    assert done.stderr.count("\n") == 1


def test_synthesize_completes_and_speaks_json(stand_in: Path) -> None:
    done = run("data", "synthesize", stand_in, "--images", 6, "--split", "private", "--json", "--jobs", 1)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"dir": str(stand_in), "seed": 0, "images": {"private": 6}, "drawn": 6}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--images", "7"], 3, "another seed, size or generator"),
        (["--images", "6", "--seed", "1"], 3, "another seed, size or generator"),
        (["--split", "validation"], 2, "not one of train, test, private"),
        (["--images", "0"], 2, "--images"),
    ],
)
def test_synthesize_refuses(stand_in: Path, arguments: list[str], code: int, said: str) -> None:
    done = run("data", "synthesize", stand_in, *arguments)
    assert done.returncode == code
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
