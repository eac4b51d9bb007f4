"""What a participant sees of a private run, and when."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from evalsvc.domain.disclosure import StateChange, shown_at, visible_history
from evalsvc.domain.submission import Cause, State

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # a multiple of every step below
START = [
    StateChange(State.RECEIVED, T0),
    StateChange(State.TRIAL_QUEUED, T0),
    StateChange(State.TRIAL_RUNNING, T0 + timedelta(seconds=1.5)),
    StateChange(State.QUEUED, T0 + timedelta(seconds=7.25)),
    StateChange(State.RUNNING, T0 + timedelta(seconds=8.5)),
]


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_all_before_the_private_images_is_shown_as_it_was() -> None:
    assert visible_history(START, after(8.5), 60) == START


def test_the_end_of_a_private_run_is_hidden_until_the_step_and_shown_as_the_step() -> None:
    history = [*START, StateChange(State.SCORING, after(20.1)), StateChange(State.SCORED, after(20.7))]
    assert visible_history(history, after(59.9), 60) == START
    shown = visible_history(history, after(60), 60)
    assert [(change.state, change.at) for change in shown[5:]] == [
        (State.SCORING, after(60)),
        (State.SCORED, after(60)),
    ]


def test_a_failure_keeps_its_cause_and_its_step() -> None:
    history = [*START, StateChange(State.FAILED, after(61), Cause.CRASHED)]
    assert visible_history(history, after(119), 60)[-1].state is State.RUNNING
    last = visible_history(history, after(120), 60)[-1]
    assert (last.state, last.cause, last.at) == (State.FAILED, Cause.CRASHED, after(120))


def test_ones_own_cancel_is_shown_at_once() -> None:
    history = [*START, StateChange(State.CANCELLED, after(20))]
    assert visible_history(history, after(20), 60)[-1].state is State.CANCELLED


def test_without_a_step_everything_is_shown() -> None:
    history = [*START, StateChange(State.SCORED, after(20.1))]
    assert visible_history(history, after(20.1), 0) == history


@given(
    a=st.floats(9, 3000),
    b=st.floats(9, 3000),
    look=st.floats(9, 4000),
    step=st.sampled_from([5.0, 30.0, 60.0]),
)
def test_two_run_lengths_within_one_step_look_the_same_at_any_moment(
    a: float, b: float, look: float, step: float
) -> None:
    """The law that closes the channel: what is visible depends on the end only through its step."""
    ends = [[*START, StateChange(State.FAILED, after(t), Cause.CRASHED)] for t in (a, b)]
    if shown_at(after(a), step) == shown_at(after(b), step):
        assert visible_history(ends[0], after(look), step) == visible_history(ends[1], after(look), step)


@given(st.floats(0, 1e6), st.sampled_from([1.0, 60.0, 3600.0]))
def test_nothing_is_shown_before_it_happened(seconds: float, step: float) -> None:
    at = after(seconds)
    assert timedelta(0) <= shown_at(at, step) - at < timedelta(seconds=step)
