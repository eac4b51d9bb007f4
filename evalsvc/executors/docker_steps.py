"""What to do next about one job, decided from what the engine shows and nothing else."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from evalsvc.domain.submission import Cause
from evalsvc.executors.base import NETWORK_REACHABLE, Observation, Phase
from evalsvc.executors.docker_faults import image_fault
from evalsvc.executors.docker_spec import STAGE_TIME, Plan
from evalsvc.pod.stage import EXIT_IMAGES, EXIT_NO_ROOM, EXIT_ONLINE

_STAGE_FAULTS = {
    EXIT_IMAGES: "an image is missing or has changed",
    EXIT_ONLINE: NETWORK_REACHABLE,
    EXIT_NO_ROOM: "no room for the images",
}

_AT_ONCE = timedelta(seconds=30)


class Status(StrEnum):
    """The engine's words for a container, as far as they differ for us."""

    ABSENT = "absent"
    CREATED = "created"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class Seen:
    """One container.  `error` is why it could not start; `account` the end of what a failed stage printed."""

    status: Status = Status.ABSENT
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    account: str = ""

    def end(self, now: datetime) -> datetime:
        """When it ended, `now` while it runs."""
        return now if self.status is Status.RUNNING else self.finished or now


@dataclass(frozen=True)
class Evidence:
    """All that is known of one job.  `deviations`: see `docker_spec.deviations`; `output_full` after a crash."""

    holder: Seen
    stage: Seen
    submission: Seen
    deviations: tuple[str, ...] = ()
    output_full: bool = False


class Step(StrEnum):
    """What the executor does before it looks again."""

    NONE = "none"
    START_STAGE = "start stage"
    CREATE_SUBMISSION = "create submission"
    START_SUBMISSION = "start submission"
    KILL_STAGE = "kill stage"
    KILL_SUBMISSION = "kill submission"


@dataclass(frozen=True)
class Decision:
    """The next step, and what an onlooker is told meanwhile."""

    step: Step
    phase: Phase
    cause: Cause | None = None
    detail: str = ""


def decide(evidence: Evidence, plan: Plan, now: datetime) -> Decision:
    """Evidence in, decision out.

    A submission that had all its time had its chance, whatever was lost meanwhile.  Otherwise a lost holder
    outweighs everything after it: with it went the network namespace's owner and perhaps the output, and whatever
    the submission did then says nothing about the submission.
    """
    submission = evidence.submission
    if _overran(evidence, plan, now):
        if submission.status is Status.RUNNING:
            return Decision(Step.KILL_SUBMISSION, Phase.RUNNING)
        return _failed(Cause.TIMED_OUT, f"ran for {plan.limits.wall_time:g} s or more")
    if evidence.holder.status is not Status.RUNNING:
        if evidence.holder.status is Status.CREATED and not evidence.holder.error:
            return Decision(Step.NONE, Phase.WAITING)
        return _fault(f"the holder is gone ({evidence.holder.error or evidence.holder.status})")
    if submission.status in {Status.ABSENT, Status.CREATED}:
        return _before(evidence, now)
    if submission.status is Status.RUNNING:
        return Decision(Step.NONE, Phase.RUNNING)
    return _after(evidence, plan)


def _overran(evidence: Evidence, plan: Plan, now: datetime) -> bool:
    """Whether the submission itself ran for as long as it may.

    Unless all ended at once: so the engine writes down a machine that was lost, with the time of its return.
    """
    holder, seen = evidence.holder, evidence.submission
    if seen.status not in {Status.RUNNING, Status.ENDED} or _seconds(seen, seen.end(now)) < plan.limits.wall_time:
        return False
    ended = holder.status is seen.status is Status.ENDED
    return not (ended and abs(holder.end(now) - seen.end(now)) < _AT_ONCE)


def _before(evidence: Evidence, now: datetime) -> Decision:
    """The submission has not started."""
    stage = evidence.stage
    if stage.error or evidence.submission.error:
        if stage.error:
            return _fault(f"a container could not start: {stage.error}")
        return submission_fault(evidence.submission.error)
    if stage.status is Status.ABSENT:
        return Decision(Step.NONE, Phase.WAITING)
    if stage.status is Status.CREATED:
        return Decision(Step.START_STAGE, Phase.STAGING)
    if evidence.submission.status is Status.ABSENT:
        return Decision(Step.CREATE_SUBMISSION, Phase.STAGING)
    if evidence.deviations:
        return _fault(f"the engine made another container than asked for: {', '.join(evidence.deviations)}")
    if stage.status is Status.RUNNING:
        late = _seconds(stage, now) >= STAGE_TIME
        return Decision(Step.KILL_STAGE if late else Step.NONE, Phase.STAGING)
    if stage.exit_code != 0:
        fault = _STAGE_FAULTS.get(stage.exit_code, f"the stage step ended with {stage.exit_code}")
        return _fault(f"{fault}: {stage.account}" if stage.account else fault)
    return Decision(Step.START_SUBMISSION, Phase.RUNNING)


def submission_fault(error: str) -> Decision:
    """What follows when the engine would not make or start the submission, in whose own `error` it says why."""
    if sentence := image_fault(error):
        return _failed(Cause.IMAGE_REFUSED, sentence)
    advice = "; this engine has no GPU to give: set gpus to 0" if "device driver" in error else ""
    return _fault(f"a container could not start: {error}{advice}")


def _after(evidence: Evidence, plan: Plan) -> Decision:
    """The submission has ended: by the limit we enforce, by the memory limit, or by itself."""
    seen = evidence.submission
    if evidence.deviations:
        return _fault(f"the engine ran another container than asked for: {', '.join(evidence.deviations)}")
    if seen.exit_code == 0:
        return Decision(Step.NONE, Phase.FINISHED)
    if seen.out_of_memory:
        return _failed(Cause.OUT_OF_MEMORY, f"killed above {plan.limits.memory} bytes")
    if evidence.output_full:
        return _failed(Cause.OUTPUT_TOO_LARGE, f"/output was full at its end, exit code {seen.exit_code}")
    return _failed(Cause.CRASHED, f"exit code {seen.exit_code}")


def _seconds(seen: Seen, until: datetime) -> float:
    return (until - seen.started).total_seconds() if seen.started else 0.0


def _fault(detail: str) -> Decision:
    return _failed(Cause.INFRASTRUCTURE, detail)


def _failed(cause: Cause, detail: str) -> Decision:
    return Decision(Step.NONE, Phase.FINISHED, cause, detail)


def to_observation(decision: Decision, plan: Plan, submission: Seen) -> Observation:
    """What the worker is told.  Times are the submission's own."""
    finished = submission.finished if decision.phase is Phase.FINISHED else None
    return Observation(
        plan.attempt_id, decision.phase, decision.cause, decision.detail, submission.started, finished
    )
