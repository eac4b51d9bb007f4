"""What the Docker engine shows of our jobs: the looking half of the executor.  Nothing here changes anything."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from evalsvc.domain.errors import JobFailed
from evalsvc.domain.submission import Cause
from evalsvc.executors.docker_engine import APIError, Engine, Missing, reaching, streaming
from evalsvc.executors.docker_readback import deviations
from evalsvc.executors.docker_spec import (
    ATTEMPT,
    INSTANCE,
    PLAN,
    POD_CODE,
    ROLE,
    SPEC,
    Plan,
    Role,
    Site,
    submission_request,
)
from evalsvc.executors.docker_steps import Evidence, Seen, Status
from evalsvc.pod.collect import Reason, refusal

_NEVER: Final = "0001-01-01T00:00:00Z"
"""How the engine writes that something has not happened."""
_COLLECT: Final = ("python", "-I", "-B", POD_CODE, "collect", "--output=/output", "--volume")


@dataclass(frozen=True)
class Job:
    """The containers of one attempt, as the engine lists them; `strange` are those whose role we do not know."""

    attempt_id: str
    parts: dict[Role, dict[str, Any]] = field(default_factory=dict)
    strange: list[dict[str, Any]] = field(default_factory=list)

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All of them, in the order in which they may be removed: a job without its holder never moves on."""
        return [*(self.parts[role] for role in Role if role in self.parts), *self.strange]

    def read(self) -> tuple[Plan, str]:
        """The plan, and the hash of the spec, from the label of its first container.

        Raises `ValueError` when no label says them.
        """
        first = self.containers[0]["Labels"]
        if self.strange or SPEC not in first:
            raise ValueError("a container of it has labels of another version")
        return Plan.from_label(first.get(PLAN, "")), first[SPEC]


class View:
    """Containers and volumes of one instance."""

    def __init__(self, engine: Engine, instance: str) -> None:
        self._engine = engine
        self._instance = instance
        self._full: dict[str, bool] = {}

    def jobs(self, attempt_id: str | None = None) -> list[Job]:
        """All jobs of the instance, or the one; a single request."""
        found: dict[str, Job] = {}
        for container in self._containers(attempt_id):
            marks = container["Labels"]
            job = found.setdefault(marks[ATTEMPT], Job(marks[ATTEMPT]))
            if marks.get(ROLE) in set(Role) - job.parts.keys():
                job.parts[Role(marks[ROLE])] = container
            else:
                job.strange.append(container)
        if attempt_id is None:
            alive = {container["Id"] for job in found.values() for container in job.containers}
            self._full = {known: full for known, full in self._full.items() if known in alive}
        return list(found.values())

    def _containers(self, attempt_id: str | None) -> list[dict[str, Any]]:
        wanted = [f"{INSTANCE}={self._instance}", f"{ATTEMPT}={attempt_id}" if attempt_id else ATTEMPT]
        with reaching():
            found: list[dict[str, Any]] = self._engine.api.containers(all=True, filters={"label": wanted})
        return found

    def volumes(self, label: str) -> list[dict[str, Any]]:
        with reaching():
            found = self._engine.api.volumes(filters={"label": [f"{INSTANCE}={self._instance}", label]})
        return list(found["Volumes"] or [])

    def holding_gpus(self) -> list[str]:
        """The attempts on this engine, of whatever instance, that have GPUs or are about to have them."""
        with reaching():
            found = self._engine.api.containers(
                all=True, filters={"label": PLAN, "status": ["created", "running", "paused"]}
            )
        return sorted({c["Labels"][ATTEMPT] for c in found if _takes_gpus(c["Labels"])})

    def evidence(self, plan: Plan, spec: str, job: Job) -> Evidence:
        """Everything `decide` needs, the costly parts only where they matter."""
        details = {role: self.inspect(found["Id"]) for role, found in job.parts.items()}
        seen = {role: seen_of(details[role]) if role in details else Seen() for role in Role}
        stage, submission = seen[Role.STAGE], seen[Role.SUBMISSION]
        if stage.status is Status.ENDED and stage.exit_code != 0:
            stage = _with_account(stage, self.logs(job.parts[Role.STAGE]["Id"]))
        holder_runs = seen[Role.HOLDER].status is Status.RUNNING
        deviating: tuple[str, ...] = ()
        full = False
        if holder_runs and Role.SUBMISSION in details:
            facts = self._engine.facts
            request = submission_request(Site(self._instance, "", "", facts["NCPU"]), plan, spec)
            deviating = deviations(
                details[Role.SUBMISSION], request, details[Role.HOLDER]["Id"], facts["DefaultRuntime"]
            )
            if submission.status is Status.ENDED and submission.exit_code != 0:
                full = self.output_full(plan, details[Role.SUBMISSION]["Id"])
        return Evidence(seen[Role.HOLDER], stage, submission, deviating, full)

    def inspect(self, container: str) -> dict[str, Any]:
        with reaching():
            found: dict[str, Any] = self._engine.api.inspect_container(container)
        return found

    def inspect_soon(self, name: str) -> dict[str, Any]:
        """A container whose name is taken: the engine may show it a moment later than that."""
        deadline = time.monotonic() + 5
        while True:
            try:
                return self.inspect(name)
            except Missing:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def logs(self, container: str) -> bytes:
        with reaching():
            text: bytes = self._engine.api.logs(container, stdout=True, stderr=True)
        return text

    def output_full(self, plan: Plan, submission_id: str) -> bool:
        """Whether a submission that failed had filled /output; asked once per container."""
        if submission_id not in self._full:
            try:
                self._full[submission_id] = self.collect(plan, 0) == refusal(Reason.VOLUME_FULL)
            except JobFailed:
                return False
        return self._full[submission_id]

    def collect(self, plan: Plan, limit: int) -> bytes:
        """The answer of the collect step, run beside the dead submission's output; bounded by `limit`."""
        holder, most = plan.container(Role.HOLDER), 4096 + limit * 3 // 2
        answer = bytearray()
        try:
            with reaching():
                run = self._engine.api.exec_create(holder, [*_COLLECT, f"--limit={limit}"], stderr=False)
                with streaming(self._engine.api.exec_start(run["Id"], stream=True)) as parts:
                    for part in parts:
                        answer += part
                        if len(answer) > most:
                            break
                code = self._engine.api.exec_inspect(run["Id"])["ExitCode"]
        except APIError as error:
            raise JobFailed(
                Cause.INFRASTRUCTURE, f"the collect step could not run: {error.explanation}"
            ) from error
        if code != 0:
            raise JobFailed(Cause.INFRASTRUCTURE, f"the collect step ended with {code}")
        return bytes(answer)


def _takes_gpus(marks: dict[str, str]) -> bool:
    """Whether labels are those of a submission that was given GPUs."""
    try:
        return marks.get(ROLE) == Role.SUBMISSION and Plan.from_label(marks[PLAN]).limits.gpus > 0
    except ValueError:
        return False


def seen_of(container: dict[str, Any]) -> Seen:
    """One `docker inspect` in our words."""
    state = container["State"]
    known = {"created": Status.CREATED, "running": Status.RUNNING, "paused": Status.RUNNING}
    return Seen(
        status=known.get(state["Status"], Status.ENDED),
        exit_code=state["ExitCode"],
        out_of_memory=state["OOMKilled"],
        error=state["Error"],
        started=_time(state["StartedAt"]),
        finished=_time(state["FinishedAt"]),
    )


def _time(text: str) -> datetime | None:
    return None if text == _NEVER else datetime.fromisoformat(text)


def _with_account(stage: Seen, log: bytes) -> Seen:
    """The failed stage's own account: the detail in its last line, or that line."""
    line = (log.decode(errors="replace").strip().splitlines() or [""])[-1][:500]
    with suppress(ValueError, TypeError, KeyError):
        line = str(json.loads(line)["detail"])
    return replace(stage, account=line)
