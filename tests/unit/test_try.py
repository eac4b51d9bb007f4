"""The parts of `evalsvc try` that need no container."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from evalsvc.cli.model import parse_duration, parse_size
from evalsvc.cli.trial_view import ADVICE, Report, printable, size, verdict
from evalsvc.domain.errors import ImageError, NotFound
from evalsvc.domain.image import ResolvedImage
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Limits
from evalsvc.trial.engine import image_tag
from evalsvc.trial.run import Outcome, Trial
from evalsvc.trial.samples import find_samples, seal_samples
from evalsvc.trial.session import Prepared


def report(cause: Cause | None, detail: str = "") -> Report:
    image = ResolvedImage("m:try", "sha256:0", "linux/amd64", 1, (), (), ())
    outcome = Outcome(cause, detail, b"", 1.0, {}, b"")
    return Report(
        Prepared(image, Trial("try-1-a", image.digest, (), Limits())), outcome, "made up", "docker", True, 1
    )


@pytest.mark.parametrize(
    ("text", "size_in_bytes"),
    [
        ("16g", 16 << 30),
        ("16GiB", 16 << 30),
        ("512m", 512 << 20),
        ("1.5k", 1536),
        ("1000", 1000),
        (" 2 gb ", 2 << 30),
    ],
)
def test_sizes_are_read_as_docker_reads_them(text: str, size_in_bytes: int) -> None:
    assert parse_size(text) == size_in_bytes


@pytest.mark.parametrize("text", ["", "g", "16x", "-1g", "1e9", "nan"])
def test_what_is_no_size_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="size"):
        parse_size(text)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600), ("0.5", 0.5)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "ten", "-5", "5d"])
def test_what_is_no_duration_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="time"):
        parse_duration(text)


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_a_verdict_that_says_what_to_do(cause: Cause) -> None:
    sentence = verdict(report(cause, "exit code 3"))
    assert sentence.startswith(f"{cause}: ")
    assert ("exit code 3" in sentence) == (cause is not Cause.NO_PREDICTIONS)
    assert sentence.endswith(ADVICE[cause])


def test_a_good_run_is_ok() -> None:
    assert verdict(report(None)) == "ok: this image follows the contract"


@given(st.binary())
def test_a_log_cannot_take_over_the_terminal(log: bytes) -> None:
    assert not any((ord(c) < 32 and c not in "\t\n") or 127 <= ord(c) < 160 for c in printable(log))


def test_a_log_keeps_its_lines_and_words() -> None:
    assert printable(b"\x1b[31mred\x1b[0m\r\n10%\r20%\n\tcaf\xc3\xa9") == "red\n10%\n20%\n\tcafé"


@pytest.mark.parametrize(("count", "text"), [(12, "12 bytes"), (64 << 20, "64 MiB"), (3 << 29, "1.5 GiB")])
def test_sizes_as_a_person_says_them(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("name", "tag"), [("My Model (2)", "my-model-2:try"), ("m", "m:try"), ("___", "submission:try")]
)
def test_the_tag_of_a_folder_is_one_that_docker_takes(tmp_path: Path, name: str, tag: str) -> None:
    assert image_tag(tmp_path / name) == tag


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


GREY = np.zeros((632, 512), np.uint8)


def test_samples_come_from_the_published_layout_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write(tmp_path / "images" / "preprocessed" / "test" / f"test_{number}.png", GREY)
    write(tmp_path / "images" / "preprocessed" / "private" / "private_1.png", GREY)
    assert [path.name for path in find_samples(tmp_path, 8)] == ["test_1.png", "test_2.png", "test_10.png"]
    assert len(find_samples(tmp_path, 2)) == 2


def test_samples_come_from_a_plain_folder_too(tmp_path: Path) -> None:
    write(tmp_path / "a.png", GREY)
    assert find_samples(tmp_path, 8) == [tmp_path / "a.png"]


def test_a_folder_without_images_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no PNGs"):
        find_samples(tmp_path, 8)


def test_the_sealed_source_holds_the_images_and_a_manifest(tmp_path: Path) -> None:
    image = write(tmp_path / "a.png", GREY)
    (tmp_path / "source").mkdir()
    (sealed,) = seal_samples([image], tmp_path / "source")
    assert (sealed.path, sealed.size) == ("sample/a.png", image.stat().st_size)
    assert (tmp_path / "source" / sealed.path).read_bytes() == image.read_bytes()
    manifest = json.loads((tmp_path / "source" / "manifest.json").read_text())
    assert manifest == {"images": [{"path": sealed.path, "sha256": sealed.sha256, "size": sealed.size}]}


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (GREY.astype(np.uint16), "uint16"),
        (np.zeros((100, 100), np.uint8), "100"),
        (np.zeros((632, 512, 3), np.uint8), "3"),
    ],
)
def test_an_image_the_service_would_never_hand_out_is_refused(
    tmp_path: Path, image: np.ndarray, said: str
) -> None:
    path = write(tmp_path / "a.png", image)
    (tmp_path / "source").mkdir()
    with pytest.raises(ImageError, match=f"{said}.*evalsvc preprocess"):
        seal_samples([path], tmp_path / "source")


@pytest.mark.parametrize("content", [b"", b"text"])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    (tmp_path / "source").mkdir()
    with pytest.raises(ImageError, match=r"broken\.png"):
        seal_samples([tmp_path / "broken.png"], tmp_path / "source")
