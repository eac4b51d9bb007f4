"""`evalsvc admin dataset` as a maintainer meets it: real processes on the synthetic stand-in."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EVALSVC = str(Path(sys.executable).parent / "evalsvc")
IMAGES = 10

Run = Callable[..., subprocess.CompletedProcess[str]]


def evalsvc(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"EVALSVC_DATA": str(folder / "service"), "COLUMNS": "100", "PATH": "", "HOME": str(folder)}
    return subprocess.run(
        [EVALSVC, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stand-in and a service's empty database."""
    folder = tmp_path_factory.mktemp("stand-in")
    made = evalsvc(
        folder, "data", "synthesize", "csaw", "--images", str(IMAGES), "--split", "test", "--split", "private"
    )
    assert made.returncode == 0, made.stderr
    assert evalsvc(folder, "db", "upgrade").returncode == 0
    return folder


@pytest.fixture
def run(tmp_path: Path, stand_in: Path) -> Run:
    shutil.copytree(stand_in, tmp_path, ignore=shutil.ignore_patterns("raw"), dirs_exist_ok=True)
    return lambda *words: evalsvc(tmp_path, "admin", "dataset", *words)


def test_from_an_import_to_a_list(run: Run) -> None:
    imported = run("import", "csaw", "--name", "CSAW-M stand-in", "--json")
    assert (imported.returncode, imported.stderr) == (0, "")
    known = json.loads(imported.stdout)
    assert known["synthetic"] is True
    assert known["images"] == {"private": IMAGES, "test": IMAGES}
    header, row = run("list").stdout.splitlines()
    assert header.split() == ["version", "name", "data", "imported", "at", "(UTC)", "test", "private"]
    assert row.split()[:5] == [known["version"][:12], "CSAW-M", "stand-in", "synthetic", known["imported_at"][:10]]
    assert row.split()[-2:] == [str(IMAGES), str(IMAGES)]
    assert header.index("test") + 4 == row.rindex(f" {IMAGES} ") + 3  # numbers under their headings
    assert json.loads(run("list", "--json").stdout) == [known]
    assert json.loads(run("verify", known["version"][:8], "--json").stdout) == {**known, "intact": True}


def test_importing_the_same_files_again_says_so_and_changes_nothing(run: Run) -> None:
    first = run("import", "csaw")
    assert first.stdout.startswith("sealed csaw, version ")
    assert f"{IMAGES} private and {IMAGES} test images, synthetic" in first.stdout
    again = run("import", "csaw", "--name", "other")
    assert again.stdout == first.stdout
    assert again.stderr == "These very files were imported before, as 'csaw'; they are verified and unchanged.\n"
    assert len(run("list").stdout.splitlines()) == 2


def test_real_data_are_called_real(run: Run, tmp_path: Path) -> None:
    (tmp_path / "csaw" / "SYNTHETIC.json").unlink()
    assert run("import", "csaw").stdout.rstrip().endswith("images, real")


def test_a_faulty_folder_is_refused_with_every_fault(run: Run, tmp_path: Path) -> None:
    images = tmp_path / "csaw" / "images" / "preprocessed"
    (images / "private" / "private_2.png").unlink()
    (images / "test" / "test_3.png").write_bytes(b"not an image")
    refused = run("import", "csaw")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr.splitlines() == [
        "error: csaw was not imported (2 problems): correct it and import again.",
        "  images/preprocessed/private/private_2.png: is missing; labels/CSAW-M_test_private.csv has it on line 3",
        "  images/preprocessed/test/test_3.png: is not a PNG file",
    ]
    assert run("list", "--json").stdout == "[]\n"


def test_a_sealed_file_that_changed_is_named(run: Run, tmp_path: Path) -> None:
    version = json.loads(run("import", "csaw", "--json").stdout)["version"]
    assert run("verify").stdout == f"csaw, version {version[:12]}: every file is as it was sealed\n"
    path = tmp_path / "service" / "datasets" / version / "labels" / "CSAW-M_test_private.csv"
    path.chmod(0o600)
    path.write_text(path.read_text().replace(";L;", ";R;", 1))
    found = run("verify")
    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.startswith("error: The sealed data set in ")
    assert found.stderr.endswith("\n  labels/CSAW-M_test_private.csv: has changed\n")


def test_what_to_do_without_a_data_set_or_a_database(run: Run, tmp_path: Path) -> None:
    without = run("verify")
    assert (without.returncode, "`evalsvc admin dataset import DIR`" in without.stderr) == (5, True)
    assert "`evalsvc admin dataset list` shows them" in run("verify", "abc").stderr
    (tmp_path / "service" / "evalsvc.db").unlink()
    refused = run("import", "csaw")
    assert refused.returncode == 8
    assert refused.stderr == "error: The database is empty, this version needs 0001: run `evalsvc db upgrade`.\n"
