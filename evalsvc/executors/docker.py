"""Runs submissions in containers of the local Docker engine, each shut in as far as an engine can.

Whatever has to be known later is a label on a container (`docker_spec`), and what to do next is decided from what
the engine shows (`docker_steps`); this module only looks and acts.  Nothing ever attaches to a submission: an
attached client that stops reading can make its container unkillable.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from evalsvc.domain.errors import Conflict, DatasetError, ImageRefused, JobFailed, Unavailable
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import JobSpec, Observation, Phase
from evalsvc.executors.docker_engine import (
    CONFLICT,
    APIError,
    Engine,
    ImageNotFound,
    Missing,
    Watch,
    reaching,
    streaming,
)
from evalsvc.executors.docker_images import describe, ensure_pod_image
from evalsvc.executors.docker_spec import (
    ATTEMPT,
    DEFAULT_UNREACHABLE,
    INSTANCE,
    PLAN,
    POD_CODE,
    ROLE,
    SPEC,
    ContainerRequest,
    Plan,
    Role,
    Site,
    deviations,
    holder_request,
    input_options,
    labels,
    output_options,
    stage_request,
    submission_request,
)
from evalsvc.executors.docker_steps import Evidence, Seen, Status, Step, decide, to_observation
from evalsvc.executors.framing import parse_frame
from evalsvc.executors.spec_hash import spec_hash
from evalsvc.pod.collect import Reason, refusal
from evalsvc.pod.stage import StageError, read_manifest

_EPOCHLESS: Final = "0001-01-01T00:00:00Z"
"""How the engine writes "never"."""
_VOLUME_GRACE: Final = 600.0
"""Seconds for which a volume without a container may belong to a job that is just being made."""
_COLLECT: Final = ("python", "-I", "-B", POD_CODE, "collect", "--output=/output", "--volume")


class DockerExecutor:
    """See `evalsvc.executors.base.Executor`.

    instance
        Tells two services on one engine apart: neither sees the other's jobs.
    runtime
        An OCI runtime for submissions, such as `runsc`; None for the engine's own.
    netcheck_targets
        `host:port` that must not answer from inside, besides the usual ones: the service's own address above all.
    """

    name = "docker"
    isolated = True

    def __init__(
        self,
        instance: str,
        *,
        pod_base_image: str = "python:3.11-slim-bookworm",
        runtime: str | None = None,
        netcheck_targets: Sequence[str] = (),
    ) -> None:
        self._instance = instance
        self._base_image = pod_base_image
        self._runtime = runtime or ""
        self._targets = tuple(netcheck_targets)
        self._engine = Engine()
        self._watch = Watch(f"{INSTANCE}={instance}")
        self._full: dict[str, bool] = {}

    def check(self) -> None:
        """Raise `Unavailable` unless the engine can hold a submission to every limit."""
        with _answering():
            _require(self._engine.facts, self._runtime)
            ensure_pod_image(self._engine, self._base_image)
            self._sweep()

    def create(self, spec: JobSpec) -> None:
        """Volumes, holder and stage, started; the submission, waiting.  What exists already is adopted."""
        with _answering():
            identity = spec_hash(spec)
            self._refuse_other(spec.attempt_id, identity)
            sizes = _image_sizes(spec)
            plan, site = self._plan(spec), self._site()
            self._volume(plan.input_volume, input_options(sizes, site.user), labels(site, plan, identity, "input"))
            self._volume(plan.output_volume, output_options(plan.limits), labels(site, plan, identity, "output"))
            self._ensure(holder_request(site, plan, identity), start=True)
            self._ensure(stage_request(site, plan, identity, spec, sum(sizes)), start=True)
            self._ensure(submission_request(site, plan, identity), start=False)

    def observe(self) -> Sequence[Observation]:
        """One look at all jobs; each that can go on is moved one step."""
        with _answering():
            jobs: dict[str, dict[Role, dict[str, Any]]] = {}
            for found in self._containers():
                jobs.setdefault(found["Labels"][ATTEMPT], {})[Role(found["Labels"][ROLE])] = found
            alive = {found["Id"] for job in jobs.values() for found in job.values()}
            self._full = {known: full for known, full in self._full.items() if known in alive}
            return [seen for job in jobs.values() if (seen := self._advance(job)) is not None]

    def harvest(self, attempt_id: str) -> bytes:
        """Run collect in the holder and unpack its frame.  Raises `JobFailed`, or `Conflict` before the end."""
        with _answering():
            job = {Role(found["Labels"][ROLE]): found for found in self._containers(attempt_id)}
            seen = self._advance(job) if job else None
            if seen is None:
                raise JobFailed(Cause.INFRASTRUCTURE, "the job's containers are gone")
            if seen.cause is not None:
                raise JobFailed(seen.cause, seen.detail)
            if seen.phase is not Phase.FINISHED:
                raise Conflict(f"The job of attempt {attempt_id} has not finished: it is {seen.phase}.")
            plan = Plan.from_label(job[Role.HOLDER]["Labels"][PLAN])
            return parse_frame(self._collect(plan, plan.limits.predictions))

    def log(self, attempt_id: str, limit: int = 64 * 1024) -> bytes:
        """The end of the submission's log; the engine keeps at most 1 MiB of it."""
        with _answering():
            for found in self._containers(attempt_id):
                if found["Labels"][ROLE] == Role.SUBMISSION:
                    return self._logs(found["Id"])[-limit:] if limit > 0 else b""
        return b""

    def delete(self, attempt_id: str) -> None:
        """The holder goes first: a job without it is never moved on, should this be interrupted."""
        order = list(Role)
        with _answering():
            for found in sorted(self._containers(attempt_id), key=lambda f: order.index(Role(f["Labels"][ROLE]))):
                self._forgiving(self._engine.api.remove_container, found["Id"], force=True, v=True)
            for volume in self._volumes(f"{ATTEMPT}={attempt_id}"):
                self._forgiving(self._engine.api.remove_volume, volume["Name"])

    def wait(self, timeout: float) -> None:
        """Return at the next end of one of our containers."""
        self._watch.start()
        self._watch.wait(timeout)

    def close(self) -> None:
        self._watch.close()
        self._engine.close()

    # Looking

    def _containers(self, attempt_id: str | None = None) -> list[dict[str, Any]]:
        wanted = [f"{INSTANCE}={self._instance}", *([f"{ATTEMPT}={attempt_id}"] if attempt_id else [])]
        with reaching():
            found: list[dict[str, Any]] = self._engine.api.containers(all=True, filters={"label": wanted})
        return found

    def _volumes(self, label: str) -> list[dict[str, Any]]:
        with reaching():
            found = self._engine.api.volumes(filters={"label": [f"{INSTANCE}={self._instance}", label]})
        return list(found["Volumes"] or [])

    def _advance(self, job: dict[Role, dict[str, Any]]) -> Observation | None:
        """Decide and act on one job; None when it vanished while we looked."""
        first = next(iter(job.values()))["Labels"]
        plan = Plan.from_label(first[PLAN])
        try:
            evidence = self._evidence(plan, job)
        except Missing:
            return None
        decision = decide(evidence, plan, datetime.now(UTC))
        self._act(decision.step, plan, first[SPEC])
        return to_observation(decision, plan, evidence.submission)

    def _evidence(self, plan: Plan, job: dict[Role, dict[str, Any]]) -> Evidence:
        """Everything `decide` needs, the costly parts only where they matter."""
        details = {role: self._inspect(found["Id"]) for role, found in job.items()}
        seen = {role: _seen(details[role]) if role in details else Seen() for role in Role}
        stage, submission = seen[Role.STAGE], seen[Role.SUBMISSION]
        if stage.status is Status.ENDED and stage.exit_code != 0:
            stage = _with_account(stage, self._logs(job[Role.STAGE]["Id"]))
        holder_runs = seen[Role.HOLDER].status is Status.RUNNING
        deviating: tuple[str, ...] = ()
        full = False
        if holder_runs and Role.SUBMISSION in details:
            deviating = deviations(details[Role.SUBMISSION], plan, job[Role.HOLDER]["Id"])
            if submission.status is Status.ENDED and submission.exit_code != 0:
                full = self._output_full(plan, job[Role.SUBMISSION]["Id"])
        return Evidence(seen[Role.HOLDER], stage, submission, deviating, full)

    def _inspect(self, container: str) -> dict[str, Any]:
        with reaching():
            found: dict[str, Any] = self._engine.api.inspect_container(container)
        return found

    def _inspect_soon(self, name: str) -> dict[str, Any]:
        """A container whose name is taken: the engine may show it a moment later than that."""
        deadline = time.monotonic() + 5
        while True:
            try:
                return self._inspect(name)
            except Missing:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _logs(self, container: str) -> bytes:
        with reaching():
            text: bytes = self._engine.api.logs(container, stdout=True, stderr=True)
        return text

    def _output_full(self, plan: Plan, submission_id: str) -> bool:
        """Whether a submission that failed had filled /output; asked once per container."""
        if submission_id not in self._full:
            try:
                self._full[submission_id] = self._collect(plan, 0) == refusal(Reason.VOLUME_FULL)
            except JobFailed:
                return False
        return self._full[submission_id]

    def _collect(self, plan: Plan, limit: int) -> bytes:
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

    # Acting

    def _plan(self, spec: JobSpec) -> Plan:
        """Pins the image by its id.  Raises `ImageRefused` when the engine has none of that name any more."""
        try:
            image = describe(spec.image, self._engine.inspect_image(spec.image))
        except (ImageNotFound, APIError) as error:
            raise ImageRefused(
                f"The image {spec.image} is no longer in the Docker engine. Build or pull it, then submit again."
            ) from error
        return Plan(spec.attempt_id, image.digest, spec.limits, image.volumes, self._runtime)

    def _site(self) -> Site:
        pod_image = ensure_pod_image(self._engine, self._base_image)
        with reaching():
            bridge = self._engine.api.networks(names=["bridge"])
        gateways = [config.get("Gateway") for net in bridge for config in net["IPAM"]["Config"] or ()]
        targets = (
            *DEFAULT_UNREACHABLE,
            *(f"{host}:{port}" for host in gateways if host for port in (22, 80, 2375)),
        )
        user = f"{os.getuid()}:{os.getgid()}"
        return Site(self._instance, pod_image, user, self._engine.facts["NCPU"], (*targets, *self._targets))

    def _refuse_other(self, attempt_id: str, identity: str) -> None:
        for found in self._containers(attempt_id):
            if found["Labels"][SPEC] != identity:
                raise _other_spec(attempt_id)

    def _volume(self, name: str, options: dict[str, str], marks: dict[str, str]) -> None:
        with reaching():
            self._engine.api.create_volume(name, driver="local", driver_opts=options, labels=marks)

    def _ensure(self, request: ContainerRequest, start: bool) -> None:
        """Create a container, or adopt the one of that name; start it if it never was."""
        api = self._engine.api
        try:
            with reaching():
                host = api.create_host_config(**request.host)
                api.create_container(name=request.name, host_config=host, use_config_proxy=False, **request.config)
        except APIError as error:
            if error.status_code != CONFLICT:
                raise
            self._adopt(request)
        if start:
            self._start(request.name)

    def _adopt(self, request: ContainerRequest) -> None:
        found = self._inspect_soon(request.name)["Config"]["Labels"]
        wanted = request.config["labels"]
        if any(found.get(label) != wanted[label] for label in (SPEC, INSTANCE)):
            raise _other_spec(wanted[ATTEMPT])

    def _start(self, container: str) -> None:
        """Start what never ran.  Why it cannot, the engine keeps with the container, where `observe` reads it."""
        state = _seen(self._inspect(container))
        if state.status is Status.CREATED and not state.error:
            self._forgiving(self._engine.api.start, container)

    def _act(self, step: Step, plan: Plan, identity: str) -> None:
        match step:
            case Step.START_STAGE:
                self._start(plan.container(Role.STAGE))
            case Step.CREATE_SUBMISSION:
                self._ensure(submission_request(self._site(), plan, identity), start=False)
            case Step.START_SUBMISSION:
                self._start(plan.container(Role.SUBMISSION))
            case Step.KILL_STAGE:
                self._forgiving(self._engine.api.kill, plan.container(Role.STAGE))
            case Step.KILL_SUBMISSION:
                self._forgiving(self._engine.api.kill, plan.container(Role.SUBMISSION))
            case Step.NONE:
                pass

    def _forgiving(self, call: Callable[..., object], *arguments: object, **options: object) -> None:
        """Do what may have been done already, or may not be possible: the next look shows what came of it."""
        try:
            with reaching():
                call(*arguments, **options)
        except APIError:
            return

    def _sweep(self) -> None:
        """Remove volumes whose containers are gone, which a killed `create` or `delete` may leave."""
        alive = {found["Labels"][ATTEMPT] for found in self._containers()}
        for volume in self._volumes(ATTEMPT):
            age = (datetime.now(UTC) - datetime.fromisoformat(volume["CreatedAt"])).total_seconds()
            if volume["Labels"][ATTEMPT] not in alive and age > _VOLUME_GRACE:
                self._forgiving(self._engine.api.remove_volume, volume["Name"])


@contextmanager
def _answering() -> Iterator[None]:
    """An answer of the engine that nobody expected is a fault of the installation, said in its own words."""
    try:
        yield
    except APIError as error:
        raise Unavailable(f"The Docker engine refused a request: {error.explanation or error}") from error


def _other_spec(attempt_id: str) -> Conflict:
    return Conflict(f"There is a job of attempt {attempt_id} with another specification. Delete it first.")


def _image_sizes(spec: JobSpec) -> list[int]:
    try:
        return [image.size for image in read_manifest(spec.source, spec.splits)]
    except StageError as error:
        raise DatasetError(f"{spec.source}: {error}. Import the data set again.") from error


def _require(facts: dict[str, Any], runtime: str) -> None:
    """Raise `Unavailable` for an engine that would ignore a limit without a word."""
    missing = [name for name in ("MemoryLimit", "PidsLimit", "CpuCfsQuota") if not facts.get(name)]
    if missing:
        raise Unavailable(
            f"This Docker engine cannot enforce {', '.join(missing)} (see `docker info`), so no submission may "
            "run on it. Use an engine with control groups."
        )
    if not any("name=seccomp" in option for option in facts.get("SecurityOptions") or ()):
        raise Unavailable("This Docker engine has no seccomp profile (see `docker info`); turn its default on.")
    if runtime and runtime not in facts["Runtimes"]:
        known = ", ".join(sorted(facts["Runtimes"]))
        raise Unavailable(
            f"The Docker engine has no runtime {runtime!r}; it has {known}. Correct the setting runtime."
        )


def _seen(container: dict[str, Any]) -> Seen:
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
    return None if text == _EPOCHLESS else datetime.fromisoformat(text)


def _with_account(stage: Seen, log: bytes) -> Seen:
    """The failed stage's own account: the detail in its last line, or that line."""
    line = (log.decode(errors="replace").strip().splitlines() or [""])[-1][:500]
    with suppress(ValueError, TypeError, KeyError):
        line = str(json.loads(line)["detail"])
    return replace(stage, account=line)
