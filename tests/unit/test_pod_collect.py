"""The collect step: what it hands over, what it refuses, and that no damage to its answer goes unnoticed."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsvc.domain.errors import JobFailed
from evalsvc.domain.submission import Cause
from evalsvc.executors.framing import REFUSALS, parse_frame
from evalsvc.pod.collect import Reason, Refused, frame, main, read_predictions, refusal

ANSWERS = st.one_of(st.binary(max_size=10_000).map(frame), st.sampled_from(Reason).map(refusal))


def reason_for(folder: Path, limit: int = 100) -> Reason:
    with pytest.raises(Refused) as refused:
        read_predictions(folder, limit)
    return refused.value.reason


def test_a_plain_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_bytes(b"x" * 100)
    assert read_predictions(tmp_path, 100) == b"x" * 100
    assert reason_for(tmp_path, 99) is Reason.TOO_LARGE


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").touch()
    assert read_predictions(tmp_path, 0) == b""


def test_nothing_is_missing(tmp_path: Path) -> None:
    assert reason_for(tmp_path) is Reason.MISSING


def test_a_link_is_not_followed_even_to_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes(b"good")
    (tmp_path / "predictions.csv").symlink_to("good.csv")
    assert reason_for(tmp_path) is Reason.SYMLINK


def test_a_file_with_two_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"good")
    (tmp_path / "predictions.csv").hardlink_to(tmp_path / "other")
    assert reason_for(tmp_path) is Reason.HARD_LINK


def test_a_folder_a_pipe_and_a_socket_are_no_files(tmp_path: Path) -> None:
    predictions = tmp_path / "predictions.csv"
    predictions.mkdir()
    assert reason_for(tmp_path) is Reason.NOT_A_FILE
    predictions.rmdir()
    os.mkfifo(predictions)
    assert reason_for(tmp_path) is Reason.NOT_A_FILE
    predictions.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(predictions))
        assert reason_for(tmp_path) is Reason.NOT_A_FILE


def test_a_tebibyte_without_a_byte_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "predictions.csv").open("wb") as file:
        file.truncate(1 << 40)
    assert reason_for(tmp_path, 4 << 20) is Reason.TOO_LARGE


def test_a_folder_that_is_gone_or_no_folder_is_refused_too(tmp_path: Path) -> None:
    assert reason_for(tmp_path / "gone") is Reason.MISSING
    (tmp_path / "file").touch()
    assert reason_for(tmp_path / "file") is Reason.UNREADABLE


def test_the_program_prints_the_frame_and_nothing_else(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "predictions.csv").write_bytes(b"Filename,Score\n")
    assert main(["--output", str(tmp_path)]) == 0
    assert parse_frame(capfdbinary.readouterr().out) == b"Filename,Score\n"
    assert main(["--output", str(tmp_path), "--limit", "3"]) == 0
    assert capfdbinary.readouterr().out == refusal(Reason.TOO_LARGE)


@given(st.binary(max_size=20_000))
def test_a_frame_gives_its_data_back(data: bytes) -> None:
    framed = frame(data)
    assert parse_frame(framed) == data
    assert max(map(len, framed.split(b"\n"))) <= 4096


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_has_a_cause(reason: Reason) -> None:
    with pytest.raises(JobFailed) as failed:
        parse_frame(refusal(reason))
    assert (failed.value.cause, failed.value.detail) == REFUSALS[reason]
    assert failed.value.cause is not Cause.INFRASTRUCTURE


def assert_damaged(answer: bytes) -> None:
    with pytest.raises(JobFailed) as failed:
        parse_frame(answer)
    assert failed.value.cause is Cause.INFRASTRUCTURE


@given(ANSWERS, st.data())
def test_one_changed_byte_is_noticed(answer: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(answer) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != answer[at]))
    assert_damaged(answer[:at] + bytes([byte]) + answer[at + 1 :])


@given(ANSWERS, st.data())
def test_a_cut_anywhere_is_noticed(answer: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(answer) - 1))
    end = data.draw(st.integers(start + 1, len(answer)))
    assert_damaged(answer[:start] + answer[end:])


@given(ANSWERS, ANSWERS, st.data())
def test_anything_put_in_is_noticed(answer: bytes, other: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(answer)))
    assert_damaged(answer[:at] + other + answer[at:])


@given(st.binary(max_size=300))
def test_anything_else_is_no_answer(noise: bytes) -> None:
    assert_damaged(noise)
