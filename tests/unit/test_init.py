"""`evalsvc init`: what a researcher starts from, and what it never overwrites unasked."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evalsvc.cli.app import app
from evalsvc.cli.model import copy_template, template_folder
from evalsvc.domain.errors import Conflict, InputError

FILES = [".dockerignore", "Dockerfile", "README.md", "density.py", "predict.py", "requirements.txt"]


def test_copies_every_file_of_the_template_unchanged(tmp_path: Path) -> None:
    assert copy_template(tmp_path / "deep" / "model", force=False) == FILES
    for name in FILES:
        assert (tmp_path / "deep" / "model" / name).read_bytes() == (template_folder() / name).read_bytes()


def test_an_empty_folder_is_as_good_as_a_new_one(tmp_path: Path) -> None:
    assert copy_template(tmp_path, force=False) == FILES


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text("mine")
    with pytest.raises(Conflict, match="--force"):
        copy_template(tmp_path, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["predict.py"]
    assert (tmp_path / "predict.py").read_text() == "mine"


def test_force_overwrites_the_templates_files_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text("mine")
    (tmp_path / "weights.pt").write_text("mine too")
    copy_template(tmp_path, force=True)
    assert (tmp_path / "predict.py").read_bytes() == (template_folder() / "predict.py").read_bytes()
    assert (tmp_path / "weights.pt").read_text() == "mine too"


def test_a_file_in_the_way_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("")
    with pytest.raises(InputError, match="model"):
        copy_template(tmp_path / "model", force=True)


def test_prints_the_next_command_quoted_for_the_shell(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["init", str(tmp_path / "my model")])
    assert result.exit_code == 0
    assert f"evalsvc try '{tmp_path / 'my model'}'" in result.stdout


def test_json(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["init", str(tmp_path / "model"), "--json"])
    assert json.loads(result.stdout) == {"directory": str(tmp_path / "model"), "files": FILES}
