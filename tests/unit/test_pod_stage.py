"""The stage step: what lies in the input folder afterwards, and how it ends when something is not right."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsvc.pod.naming import staged_name
from evalsvc.pod.stage import EXIT_IMAGES, EXIT_ONLINE, KEY_VARIABLE, StageError, read_manifest
from tests.images.jobs import seal

KEY = bytes(range(32))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return seal(tmp_path / "sealed", {"private": 20, "test": 3})


def stage(source: Path, target: Path, *more: str, key: str = KEY.hex()) -> tuple[int, dict[str, object]]:
    """Run the step as a container does; its exit code and its one line."""
    target.mkdir(exist_ok=True)
    command = [sys.executable, "-I", "-m", "evalsvc.pod", "stage", f"--source={source}", f"--target={target}"]
    done = subprocess.run(
        [*command, "--split=private", *more], env={KEY_VARIABLE: key}, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_images_lie_under_secret_names_in_their_order(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "input"
    assert stage(source, target) == (0, {"status": "staged", "images": 20})
    names = (target / "images.csv").read_text().splitlines()
    assert names[0] == "Filename"
    assert names[1:] == sorted(path.name for path in (target / "images").iterdir())
    for number in range(20):
        path = f"private/private_{number}.png"
        assert (target / "images" / staged_name(KEY, path)).read_bytes() == (source / path).read_bytes()


def test_nothing_but_the_content_tells_files_apart(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "input"
    stage(source, target)
    everything = [target, *target.rglob("*")]
    assert {path.stat().st_mtime for path in everything} == {0}
    assert {path.stat().st_mode & 0o7777 for path in everything if path.is_file()} == {0o444}
    assert {path.stat().st_mode & 0o7777 for path in everything if path.is_dir()} == {0o555}
    written = sorted((target / "images").iterdir(), key=lambda path: path.stat().st_ino)
    assert len(written) == 20
    assert {path.name for path in target.iterdir()} == {"images", "images.csv"}


def test_other_splits_are_left_out_unless_asked_for(source: Path, tmp_path: Path) -> None:
    assert stage(source, tmp_path / "input", "--split=test")[1]["images"] == 23


def test_a_changed_image_ends_it(source: Path, tmp_path: Path) -> None:
    victim = source / "private/private_7.png"
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    code, line = stage(source, tmp_path / "input")
    assert (code, line["detail"]) == (EXIT_IMAGES, "private/private_7.png is not the image that was sealed")


def test_a_longer_image_ends_it(source: Path, tmp_path: Path) -> None:
    with (source / "private/private_7.png").open("ab") as file:
        file.write(b"more")
    assert stage(source, tmp_path / "input")[0] == EXIT_IMAGES


def test_a_missing_image_ends_it(source: Path, tmp_path: Path) -> None:
    (source / "private/private_7.png").unlink()
    code, line = stage(source, tmp_path / "input")
    assert (code, line["detail"]) == (
        EXIT_IMAGES,
        "private/private_7.png cannot be read: No such file or directory",
    )


def test_a_network_that_answers_ends_it(source: Path, tmp_path: Path) -> None:
    """This machine has an interface, or at least its loopback refuses connections: either is an answer."""
    code, line = stage(source, tmp_path / "input", "--unreachable=127.0.0.1:9")
    assert (code, line["detail"]) == (EXIT_ONLINE, "127.0.0.1:9")


def test_without_a_key_nothing_is_staged(source: Path, tmp_path: Path) -> None:
    code, line = stage(source, tmp_path / "input", key="")
    assert (code, line["detail"]) == (1, f"{KEY_VARIABLE} holds no key")
    assert not list((tmp_path / "input").iterdir())


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "private/../../secret", "sha256": "", "size": 1},
        {"path": "/etc/passwd", "sha256": "", "size": 1},
        {"path": "private/x.png", "size": 1},
        {"path": "private/x.png", "sha256": "", "size": "many"},
        "private/x.png",
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused(tmp_path: Path, entry: object) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"images": [entry]}))
    with pytest.raises(StageError) as refused:
        read_manifest(tmp_path, ["private"])
    assert refused.value.exit_code == EXIT_IMAGES


def test_a_split_without_images_is_refused(source: Path) -> None:
    with pytest.raises(StageError, match="no image of train"):
        read_manifest(source, ["train"])


@given(
    st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=2, unique=True),
    st.lists(st.text(max_size=20), min_size=2, max_size=2, unique=True),
)
def test_names_differ_by_path_and_by_key(keys: list[bytes], paths: list[str]) -> None:
    names = {staged_name(key, path) for key in keys for path in paths}
    assert len(names) == 4
    assert {len(name) for name in names} == {36}
