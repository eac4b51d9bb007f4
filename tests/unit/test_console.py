"""What is printed cannot repaint a terminal."""

import pytest

from evalsvc.cli import console

HOSTILE = "a\x1b[2Jb\x9b31mc\u202ed\x07e[bold]f"
SEEN = "a\\x1b[2Jb\\x9b31mc\\x202ed\\x07e[bold]f"


def test_control_characters_are_written_out() -> None:
    assert console.visible(HOSTILE) == SEEN
    assert console.visible("é ü 乳 \t\n") == "é ü 乳 \t\n"


def test_no_way_of_printing_lets_them_through(capsys: pytest.CaptureFixture[str]) -> None:
    console.write(HOSTILE)
    console.say_json({"log": HOSTILE})
    written = capsys.readouterr().out
    assert SEEN in written
    assert written.isascii()
    with console.OUT.capture() as said:
        console.say(HOSTILE)
        console.say_table(HOSTILE, [HOSTILE], [[HOSTILE]])
    assert "\x1b[2J" not in said.get()
    assert "\x9b" not in said.get()
    assert "[bold]" in said.get()
