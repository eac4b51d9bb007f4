"""What the Docker engine shows of our jobs: the looking half of the executor.  Nothing here changes anything."""

import json
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from evalsvc.domain.errors import JobFailed
from evalsvc.domain.submission import Cause
from evalsvc.executors.docker_engine import APIError, Engine, Missing, reaching, streaming
from evalsvc.executors.docker_spec import ATTEMPT, INSTANCE, POD_CODE, ROLE, Plan, Role, deviations
from evalsvc.executors.docker_steps import Evidence, Seen, Status
from evalsvc.pod.collect import Reason, refusal

_NEVER: Final = "0001-01-01T00:00:00Z"
"""How the engine writes that something has not happened."""
_COLLECT: Final = ("python", "-I", "-B", POD_CODE, "collect", "--output=/output", "--volume")


Job = dict[Role, dict[str, Any]]
"""The containers of one attempt, as the engine lists them."""


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
            found.setdefault(container["Labels"][ATTEMPT], {})[Role(container["Labels"][ROLE])] = container
        if attempt_id is None:
            alive = {container["Id"] for job in found.values() for container in job.values()}
            self._full = {known: full for known, full in self._full.items() if known in alive}
        return list(found.values())

    def _containers(self, attempt_id: str | None) -> list[dict[str, Any]]:
        wanted = [f"{INSTANCE}={self._instance}", *([f"{ATTEMPT}={attempt_id}"] if attempt_id else [])]
        with reaching():
            found: list[dict[str, Any]] = self._engine.api.containers(all=True, filters={"label": wanted})
        return found

    def volumes(self, label: str) -> list[dict[str, Any]]:
        with reaching():
            found = self._engine.api.volumes(filters={"label": [f"{INSTANCE}={self._instance}", label]})
        return list(found["Volumes"] or [])

    def evidence(self, plan: Plan, job: Job) -> Evidence:
        """Everything `decide` needs, the costly parts only where they matter."""
        details = {role: self.inspect(found["Id"]) for role, found in job.items()}
        seen = {role: seen_of(details[role]) if role in details else Seen() for role in Role}
        stage, submission = seen[Role.STAGE], seen[Role.SUBMISSION]
        if stage.status is Status.ENDED and stage.exit_code != 0:
            stage = _with_account(stage, self.logs(job[Role.STAGE]["Id"]))
        holder_runs = seen[Role.HOLDER].status is Status.RUNNING
        deviating: tuple[str, ...] = ()
        full = False
        if holder_runs and Role.SUBMISSION in details:
            deviating = deviations(details[Role.SUBMISSION], plan, job[Role.HOLDER]["Id"])
            if submission.status is Status.ENDED and submission.exit_code != 0:
                full = self.output_full(plan, job[Role.SUBMISSION]["Id"])
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
