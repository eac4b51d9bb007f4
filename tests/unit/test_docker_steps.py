"""The decision about one job: every piece of evidence that matters, and what follows from it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Limits, Phase
from evalsvc.executors.docker_spec import STAGE_TIME, Plan
from evalsvc.executors.docker_steps import Decision, Evidence, Seen, Status, Step, decide

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLAN = Plan("a", "sha256:1", Limits(wall_time=100.0))

ABSENT = Seen()
CREATED = Seen(Status.CREATED)
BROKEN = Seen(Status.CREATED, error="no such device driver")
REFUSED = Seen(Status.CREATED, error="No command specified")
LOST = Seen(Status.ENDED, 137, started=NOW - timedelta(seconds=200), finished=NOW - timedelta(seconds=90))
RUNNING = Seen(Status.RUNNING, started=NOW - timedelta(seconds=10))


def ended(code: int = 0, *, seconds: float = 10.0, oom: bool = False, account: str = "") -> Seen:
    finish = NOW - timedelta(seconds=5)
    start = finish - timedelta(seconds=seconds)
    return Seen(Status.ENDED, code, oom, started=start, finished=finish, account=account)


def late(seconds: float) -> Seen:
    return Seen(Status.RUNNING, started=NOW - timedelta(seconds=seconds))


STAGED = Evidence(RUNNING, ended(), CREATED)

WAITING = (Step.NONE, Phase.WAITING, None)
STAGING = (Step.NONE, Phase.STAGING, None)
GOES_ON = (Step.NONE, Phase.RUNNING, None)
FAULT = (Step.NONE, Phase.FINISHED, Cause.INFRASTRUCTURE)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        # being made
        (Evidence(CREATED, ABSENT, ABSENT), WAITING),
        (Evidence(RUNNING, ABSENT, ABSENT), WAITING),
        (Evidence(RUNNING, CREATED, ABSENT), (Step.START_STAGE, Phase.STAGING, None)),
        (Evidence(RUNNING, CREATED, CREATED), (Step.START_STAGE, Phase.STAGING, None)),
        # staging
        (Evidence(RUNNING, RUNNING, ABSENT), (Step.CREATE_SUBMISSION, Phase.STAGING, None)),
        (Evidence(RUNNING, RUNNING, CREATED), STAGING),
        (Evidence(RUNNING, late(STAGE_TIME), CREATED), (Step.KILL_STAGE, Phase.STAGING, None)),
        (Evidence(RUNNING, ended(), ABSENT), (Step.CREATE_SUBMISSION, Phase.STAGING, None)),
        (STAGED, (Step.START_SUBMISSION, Phase.RUNNING, None)),
        # running
        (replace(STAGED, submission=RUNNING), GOES_ON),
        (replace(STAGED, submission=late(99.9)), GOES_ON),
        (replace(STAGED, submission=late(100.0)), (Step.KILL_SUBMISSION, Phase.RUNNING, None)),
        # ends of the submission's own making
        (replace(STAGED, submission=ended()), (Step.NONE, Phase.FINISHED, None)),
        (replace(STAGED, submission=ended(oom=True)), (Step.NONE, Phase.FINISHED, None)),
        (replace(STAGED, submission=ended(137, oom=True)), (Step.NONE, Phase.FINISHED, Cause.OUT_OF_MEMORY)),
        (replace(STAGED, submission=ended(1, oom=True)), (Step.NONE, Phase.FINISHED, Cause.OUT_OF_MEMORY)),
        (replace(STAGED, submission=ended(137)), (Step.NONE, Phase.FINISHED, Cause.CRASHED)),
        (replace(STAGED, submission=ended(1)), (Step.NONE, Phase.FINISHED, Cause.CRASHED)),
        (
            replace(STAGED, submission=ended(1), output_full=True),
            (Step.NONE, Phase.FINISHED, Cause.OUTPUT_TOO_LARGE),
        ),
        (replace(STAGED, submission=ended(137, seconds=100.0)), (Step.NONE, Phase.FINISHED, Cause.TIMED_OUT)),
        (replace(STAGED, submission=ended(0, seconds=100.0)), (Step.NONE, Phase.FINISHED, Cause.TIMED_OUT)),
        (Evidence(ABSENT, ended(), late(100.0)), (Step.KILL_SUBMISSION, Phase.RUNNING, None)),
        (Evidence(ABSENT, ended(), ended(137, seconds=100.0)), (Step.NONE, Phase.FINISHED, Cause.TIMED_OUT)),
        (Evidence(LOST, ended(), ended(137, seconds=100.0)), (Step.NONE, Phase.FINISHED, Cause.TIMED_OUT)),
        (replace(STAGED, submission=REFUSED), (Step.NONE, Phase.FINISHED, Cause.IMAGE_REFUSED)),
        (replace(STAGED, submission=ended(137, seconds=99.9)), (Step.NONE, Phase.FINISHED, Cause.CRASHED)),
        # ends of ours
        (Evidence(ABSENT, ABSENT, ABSENT), FAULT),
        (Evidence(ABSENT, ended(), CREATED), FAULT),
        (Evidence(ended(137), ended(), RUNNING), FAULT),
        (Evidence(ended(137), ended(), ended()), FAULT),
        (Evidence(ABSENT, ended(), ended(seconds=99.9)), FAULT),
        (Evidence(ended(255), ended(), ended(255, seconds=100.0)), FAULT),  # the machine came back
        (Evidence(RUNNING, REFUSED, CREATED), FAULT),
        (Evidence(BROKEN, ABSENT, ABSENT), FAULT),
        (Evidence(RUNNING, BROKEN, CREATED), FAULT),
        (Evidence(RUNNING, ended(1), CREATED), FAULT),
        (Evidence(RUNNING, ended(137), CREATED), FAULT),
        (replace(STAGED, submission=BROKEN), FAULT),
        (replace(STAGED, deviations=("network",)), FAULT),
        (replace(STAGED, submission=ended(), deviations=("image",)), FAULT),
    ],
)
def test_what_follows(evidence: Evidence, expected: tuple[Step, Phase, Cause | None]) -> None:
    decision = decide(evidence, PLAN, NOW)
    assert (decision.step, decision.phase, decision.cause) == expected
    assert bool(decision.detail) == (decision.cause is not None)


@pytest.mark.parametrize(
    ("code", "start"),
    [
        (41, "an image is missing"),
        (42, "network reachable: "),
        (43, "no room"),
        (1, "the stage step ended with 1: "),
    ],
)
def test_a_maintainer_can_tell_why_staging_failed(code: int, start: str) -> None:
    decision = decide(Evidence(RUNNING, ended(code, account="what happened"), CREATED), PLAN, NOW)
    assert decision.detail.startswith(start)
    assert decision.detail.endswith("what happened")


def test_a_missing_gpu_says_what_to_set() -> None:
    decision = decide(replace(STAGED, submission=BROKEN), PLAN, NOW)
    assert decision.detail.endswith("set gpus to 0")


SEEN = st.sampled_from([ABSENT, CREATED, BROKEN, RUNNING, late(1e6), ended(), ended(42), ended(137, oom=True)])


@given(SEEN, SEEN, SEEN, st.booleans())
def test_a_submission_starts_only_after_a_stage_that_succeeded(
    holder: Seen, stage: Seen, submission: Seen, deviates: bool
) -> None:
    decision: Decision = decide(Evidence(holder, stage, submission, ("x",) if deviates else ()), PLAN, NOW)
    if decision.step is Step.START_SUBMISSION:
        assert (holder.status, stage.status, stage.exit_code, deviates) == (Status.RUNNING, Status.ENDED, 0, False)
        assert submission == CREATED
    if decision.phase is Phase.FINISHED:
        assert decision.step is Step.NONE
