"""The states, their transitions, and who pays."""

import pytest

from evalsvc.domain.submission import ENDS, EXPLANATIONS, FREE_TO_CANCEL, TRANSITIONS, Cause, State


def test_every_state_has_its_transitions_and_only_ends_have_none() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {state for state, following in TRANSITIONS.items() if not following} == ENDS


def test_every_state_can_be_reached_and_every_path_can_end() -> None:
    reached, frontier = {State.RECEIVED}, [State.RECEIVED]
    while frontier:
        for following in TRANSITIONS[frontier.pop()] - reached:
            reached.add(following)
            frontier.append(following)
    assert reached == set(State)
    for state in set(State) - ENDS - {State.RECEIVED}:
        assert State.FAILED in TRANSITIONS[state]


def test_a_cancel_is_free_exactly_until_the_private_images_are_touched() -> None:
    cancellable = {state for state in State if State.CANCELLED in TRANSITIONS[state]}
    assert cancellable - FREE_TO_CANCEL == {State.RUNNING}


@pytest.mark.parametrize(
    ("cause", "charged"),
    [
        (Cause.IMAGE_REFUSED, False),
        (Cause.TRIAL_FAILED, False),
        (Cause.INFRASTRUCTURE, False),
        (Cause.CRASHED, True),
        (Cause.OUT_OF_MEMORY, True),
        (Cause.TIMED_OUT, True),
        (Cause.NO_PREDICTIONS, True),
        (Cause.INVALID_PREDICTIONS, True),
        (Cause.OUTPUT_TOO_LARGE, True),
    ],
)
def test_who_pays(cause: Cause, charged: bool) -> None:
    assert cause.charged is charged


def test_every_cause_has_one_plain_sentence_or_two() -> None:
    assert set(EXPLANATIONS) == set(Cause)
    assert all(text.endswith(".") for text in EXPLANATIONS.values())
