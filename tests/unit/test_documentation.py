"""A setting, a command or a link that the documentation does not have, or has wrongly, fails here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from evalsvc.config import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_setting_stands_in_the_table_with_its_default() -> None:
    table = dict(re.findall(r"^\| `EVALSVC_(\w+)` \| ([^|]+) \|", (ROOT / "docs/operations.md").read_text(), re.M))
    assert {name.lower() for name in table} == set(Settings.model_fields)
    for name, said in table.items():
        default = Settings.model_fields[name.lower()].default
        if said.startswith("`"):
            assert said == f"`{default}`", name


def test_the_command_reference_is_what_the_commands_say(tmp_path: Path) -> None:
    """Write it anew with `make docs`."""
    words = ["-m", "typer", "evalsvc.cli.app", "utils", "docs", "--name", "evalsvc", "--output"]
    subprocess.run([sys.executable, *words, str(tmp_path / "cli.md")], check=True, capture_output=True, cwd=ROOT)
    assert (ROOT / "docs/cli.md").read_text() == (tmp_path / "cli.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_named_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    for target in links:
        assert (page.parent / target).exists(), target
    for named in re.findall(r"\bdocs/[\w/.-]+\.md\b", text):
        assert (ROOT / named).exists(), named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_pages_name_exist(page: Path) -> None:
    """`evalsvc admin team create` in a page is a command and its sub-commands."""
    from typer.main import get_command

    from evalsvc.cli.app import app

    for words in re.findall(r"\bevalsvc ((?:[a-z]+[ `\n)]?)+)", text_of_code(page)):
        command = get_command(app)
        for word in words.split():
            commands = getattr(command, "commands", None)
            if commands is None:
                break
            name = word.strip("`)")
            assert name in commands, f"evalsvc {words}"
            command = commands[name]


def text_of_code(page: Path) -> str:
    """What stands in back quotes or in a block of code."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    return "\n".join([*re.findall(r"`(evalsvc [^`]+)`", text), *(b for b in blocks if "evalsvc " in b)])
