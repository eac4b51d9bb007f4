"""The life of a submission: its states, the causes it can end for, and who pays for which end."""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a submission stands.  The order of the members is the order in which they are passed."""

    RECEIVED = "received"
    TRIAL_QUEUED = "trial_queued"
    TRIAL_RUNNING = "trial_running"
    QUEUED = "queued"
    RUNNING = "running"
    SCORING = "scoring"
    SCORED = "scored"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in ENDS


ENDS: Final = frozenset({State.SCORED, State.FAILED, State.CANCELLED})


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.RECEIVED: frozenset({State.TRIAL_QUEUED}),
    State.TRIAL_QUEUED: frozenset({State.TRIAL_RUNNING, State.FAILED, State.CANCELLED}),
    State.TRIAL_RUNNING: frozenset({State.QUEUED, State.TRIAL_QUEUED, State.FAILED, State.CANCELLED}),
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.SCORING, State.QUEUED, State.FAILED, State.CANCELLED}),
    State.SCORING: frozenset({State.SCORED, State.FAILED}),
    State.SCORED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}
"""Where each state may lead.  The way back to a queue is a retry after a failure of the platform."""

FREE_TO_CANCEL: Final = frozenset({State.RECEIVED, State.TRIAL_QUEUED, State.TRIAL_RUNNING, State.QUEUED})
"""States before the private images are touched: a cancel gives the quota slot back."""


class Kind(StrEnum):
    """What an attempt runs on: the public sample images, or the benchmark's test images."""

    TRIAL = "trial"
    EVALUATION = "evaluation"


class Cause(StrEnum):
    """Why a submission failed.  On the private images this word is all that a participant learns."""

    IMAGE_REFUSED = "image_refused"
    TRIAL_FAILED = "trial_failed"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    NO_PREDICTIONS = "no_predictions"
    INVALID_PREDICTIONS = "invalid_predictions"
    OUTPUT_TOO_LARGE = "output_too_large"
    INFRASTRUCTURE = "infrastructure"

    @property
    def charged(self) -> bool:
        """Whether an end for this cause keeps its quota slot.

        A failure on the private images is charged: a model could otherwise crash on purpose to ask free
        questions of them.  What the platform did, or what happened before the private images were touched,
        is not.
        """
        return self not in {Cause.IMAGE_REFUSED, Cause.TRIAL_FAILED, Cause.INFRASTRUCTURE}


EXPLANATIONS: Final[dict[Cause, str]] = {
    Cause.IMAGE_REFUSED: "The image is not one that may run here.",
    Cause.TRIAL_FAILED: "The model did not pass its trial on the public sample images; `evalsvc logs` shows why.",
    Cause.CRASHED: "The model ended with an error.",
    Cause.OUT_OF_MEMORY: "The model used more memory than it may.",
    Cause.TIMED_OUT: "The model ran longer than it may.",
    Cause.NO_PREDICTIONS: "The model wrote no /output/predictions.csv.",
    Cause.INVALID_PREDICTIONS: "The model's predictions.csv does not follow the contract.",
    Cause.OUTPUT_TOO_LARGE: "The model wrote more to /output than fits.",
    Cause.INFRASTRUCTURE: "The service failed, not the model. Nothing was charged.",
}
