"""What `pip install evalsvc` brings: the template has to be in the wheel, not only in a checkout."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path.name for path in (ROOT / "submission_template").iterdir() if path.is_file())


@pytest.mark.slow
def test_the_wheel_holds_the_template_and_nothing_beside_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    inside = [name.removeprefix("evalsvc/submission_template/") for name in names if "submission_template" in name]
    assert sorted(inside) == FILES
    assert {name.split("/")[0].split("-")[0] for name in names} == {"evalsvc"}


@pytest.mark.slow
def test_init_works_from_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    """The dependencies are borrowed from this environment; the package itself is the wheel's."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True)
    borrowed = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{borrowed}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(python), "-m", "evalsvc.cli.app", "init", "model"]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == FILES
    for name in FILES:
        assert (tmp_path / "model" / name).read_bytes() == (ROOT / "submission_template" / name).read_bytes()
    script = [str(python), "-c", "import evalsvc; print(evalsvc.__file__)"]
    used = subprocess.run(script, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert used.stdout.startswith(str(site))
