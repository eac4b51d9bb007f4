"""Runs submissions in containers of the local Docker engine, each shut in as far as an engine can.

Whatever has to be known later is a label on a container (`docker_spec`), and what to do next is decided from what
the engine shows (`docker_steps`); this module only looks and acts.  Nothing ever attaches to a submission: an
attached client that stops reading can make its container unkillable.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from evalsvc.domain.errors import Conflict, DatasetError, ImageRefused, InputError, JobFailed, Unavailable
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import JobSpec, Observation, Phase
from evalsvc.executors.docker_engine import (
    CONFLICT,
    APIError,
    Engine,
    ImageNotFound,
    Missing,
    Watch,
    answering,
    reaching,
    require,
)
from evalsvc.executors.docker_faults import REGISTERS, UNFIT_REGISTERS, image_fault, is_plain_file
from evalsvc.executors.docker_images import describe, ensure_pod_image
from evalsvc.executors.docker_refusals import ended, gone, job_refused, other_spec
from evalsvc.executors.docker_spec import (
    ATTEMPT,
    DEFAULT_UNREACHABLE,
    INSTANCE,
    SPEC,
    ContainerRequest,
    Plan,
    Role,
    Site,
    bridge_targets,
    holder_request,
    input_options,
    labels,
    output_options,
    stage_request,
    submission_request,
)
from evalsvc.executors.docker_steps import Status, Step, decide, to_observation
from evalsvc.executors.docker_view import Job, View, seen_of
from evalsvc.executors.framing import parse_frame
from evalsvc.executors.spec_hash import spec_hash
from evalsvc.pod.stage import StageError, read_manifest

_VOLUME_GRACE: Final = 600.0
"""Seconds for which a volume without a container may belong to a job that is just being made."""


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
    max_concurrent_gpu_jobs: Final = 1
    """The engine does not say which of its GPUs are in use, so no two jobs may have any at the same time."""

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
        self._view = View(self._engine, instance)
        self._watch = Watch(f"{INSTANCE}={instance}")

    def check(self) -> None:
        """Raise `Unavailable` unless the engine can hold a submission to every limit."""
        with answering():
            require(self._engine.facts, self._runtime)
            ensure_pod_image(self._engine, self._base_image)
            self._sweep()

    def create(self, spec: JobSpec) -> None:
        """Volumes, holder and stage, started; the submission, waiting.  What exists already is adopted."""
        with answering():
            identity = spec_hash(spec)
            self._refuse_other(spec.attempt_id, identity)
            sizes = _image_sizes(spec)
            self._await_gpus(spec)
            plan, site = self._plan(spec), self._site()
            self._volume(plan.input_volume, input_options(sizes, site.user), labels(site, plan, identity, "input"))
            self._volume(plan.output_volume, output_options(plan.limits), labels(site, plan, identity, "output"))
            self._ensure(holder_request(site, plan, identity), start=True)
            self._ensure(stage_request(site, plan, identity, spec, sum(sizes)), start=True)
            self._ensure_submission(submission_request(site, plan, identity))

    def machine_memory(self) -> int:
        """Bytes of memory of the engine's machine.  Raises `Unavailable`."""
        return int(self._engine.facts["MemTotal"])

    def observe(self) -> Sequence[Observation]:
        """One look at all jobs; each that can go on is moved one step.

        What the engine refuses one job, or does not understand of it, is that job's end and no other's.
        """
        with answering():
            return [seen for job in self._view.jobs() if (seen := self._look(job)) is not None]

    def harvest(self, attempt_id: str) -> bytes:
        """Run collect in the holder and unpack its frame.  Raises `JobFailed`, or `Conflict` before the end."""
        with answering():
            job = next(iter(self._view.jobs(attempt_id)), None)
            seen = self._look(job) if job else None
            if job is None or seen is None:
                raise JobFailed(Cause.INFRASTRUCTURE, "the job's containers are gone")
            if seen.cause is not None:
                raise JobFailed(seen.cause, seen.detail)
            if seen.phase is not Phase.FINISHED:
                raise Conflict(f"The job of attempt {attempt_id} has not finished: it is {seen.phase}.")
            plan, _ = job.read()
            return parse_frame(self._view.collect(plan, plan.limits.predictions))

    def log(self, attempt_id: str, limit: int = 64 * 1024) -> bytes:
        """The end of the submission's log; the engine keeps at most 1 MiB of it."""
        with answering():
            for job in self._view.jobs(attempt_id):
                if limit > 0 and Role.SUBMISSION in job.parts:
                    with suppress(APIError):
                        return self._view.logs(job.parts[Role.SUBMISSION]["Id"])[-limit:]
        return b""

    def delete(self, attempt_id: str) -> None:
        """The holder goes first: a job without it is never moved on, should this be interrupted."""
        with answering():
            for job in self._view.jobs(attempt_id):
                for container in job.containers:
                    self._forgiving(self._engine.api.remove_container, container["Id"], force=True, v=True)
            for volume in self._view.volumes(f"{ATTEMPT}={attempt_id}"):
                self._forgiving(self._engine.api.remove_volume, volume["Name"])

    def wait(self, timeout: float) -> None:
        """Return at the next end of one of our containers."""
        self._watch.start()
        self._watch.wait(timeout)

    def close(self) -> None:
        self._watch.close()
        self._engine.close()

    def _look(self, job: Job) -> Observation | None:
        """Move one job on; None when it vanished while we looked.  Raises `Unavailable` alone."""
        try:
            return self._advance(job)
        except ImageNotFound:
            return ended(job, Cause.IMAGE_REFUSED, "The image is no longer in the Docker engine.")
        except Missing:
            return None
        except APIError as error:
            return job_refused(job, error)
        except ImageRefused as error:
            return ended(job, Cause.IMAGE_REFUSED, str(error))
        except (Conflict, KeyError, TypeError, ValueError) as error:
            return ended(job, Cause.INFRASTRUCTURE, f"the job cannot be read or moved on: {error}")

    def _advance(self, job: Job) -> Observation:
        """Decide and act on one job."""
        plan, identity = job.read()
        evidence = self._view.evidence(plan, identity, job)
        decision, seen = decide(evidence, plan, datetime.now(UTC)), evidence.submission
        if decision.step is Step.START_SUBMISSION:
            self._check_registers(job)
        self._act(decision.step, plan, identity)
        if decision.step is Step.START_SUBMISSION:
            seen = seen_of(self._view.inspect(plan.container(Role.SUBMISSION)))
        return to_observation(decision, plan, seen)

    def _check_registers(self, job: Job) -> None:
        """Raise `ImageRefused` for an image that would stop the engine itself."""
        container = job.parts[Role.SUBMISSION]["Id"]
        modes = [self._engine.mode_of(container, path) for path in REGISTERS]
        if not all(mode is None or is_plain_file(mode) for mode in modes):
            raise ImageRefused(UNFIT_REGISTERS)

    def _plan(self, spec: JobSpec) -> Plan:
        """Pins the image by its id.  Raises `ImageRefused` when the engine has none of that name any more."""
        try:
            image = describe(spec.image, self._engine.inspect_image(spec.image))
        except ImageNotFound as error:
            raise gone(spec.image) from error
        except InputError as error:
            raise ImageRefused(str(error)) from error
        return Plan(spec.attempt_id, image.digest, spec.limits, image.volumes, self._runtime, image.command)

    def _site(self) -> Site:
        pod_image = ensure_pod_image(self._engine, self._base_image)
        with reaching():
            bridge = self._engine.api.networks(names=["bridge"])
        targets = (*DEFAULT_UNREACHABLE, *bridge_targets(bridge), *self._targets)
        user = f"{os.getuid()}:{os.getgid()}"
        return Site(self._instance, pod_image, user, self._engine.facts["NCPU"], targets)

    def _refuse_other(self, attempt_id: str, identity: str) -> None:
        for job in self._view.jobs(attempt_id):
            if any(found["Labels"].get(SPEC) != identity for found in job.containers):
                raise other_spec(attempt_id)

    def _volume(self, name: str, options: dict[str, str], marks: dict[str, str]) -> None:
        """Create a volume, or adopt the one of that name; the engine does not mind if that one has no limits."""
        with reaching():
            made = self._engine.api.create_volume(name, driver="local", driver_opts=options, labels=marks)
        if made["Options"] != options or made["Labels"] != marks:
            raise Conflict(f"There is a volume {name} that is not ours. Remove it with `docker volume rm {name}`.")

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

    def _ensure_submission(self, request: ContainerRequest) -> None:
        """Raises `ImageRefused` where the engine refuses it because of the image."""
        try:
            self._ensure(request, start=False)
        except ImageNotFound as error:
            raise gone(request.config["image"]) from error
        except APIError as error:
            if sentence := image_fault(str(error.explanation or error)):
                raise ImageRefused(sentence) from error
            raise

    def _await_gpus(self, spec: JobSpec) -> None:
        """Raise `Unavailable` while another job has this engine's GPUs: it gives any job the same ones."""
        holding = self._view.holding_gpus() if spec.limits.gpus else []
        if others := [attempt for attempt in holding if attempt != spec.attempt_id]:
            raise Unavailable(
                f"Only one job at a time can have GPUs on this engine, and attempt {others[0]} has them. Wait for "
                f"its end, or remove it if it is of no use: docker rm --force ev-{others[0]}-submission."
            )

    def _adopt(self, request: ContainerRequest) -> None:
        found = self._view.inspect_soon(request.name)["Config"]["Labels"]
        wanted = request.config["labels"]
        if any(found.get(label) != wanted[label] for label in (SPEC, INSTANCE)):
            raise other_spec(wanted[ATTEMPT])

    def _start(self, container: str) -> None:
        """Start what never ran.  Why it cannot, the engine keeps with the container, where `observe` reads it."""
        state = seen_of(self._view.inspect(container))
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
        alive = {job.attempt_id for job in self._view.jobs()}
        for volume in self._view.volumes(ATTEMPT):
            age = (datetime.now(UTC) - datetime.fromisoformat(volume["CreatedAt"])).total_seconds()
            if volume["Labels"][ATTEMPT] not in alive and age > _VOLUME_GRACE:
                self._forgiving(self._engine.api.remove_volume, volume["Name"])


def _image_sizes(spec: JobSpec) -> list[int]:
    try:
        return [image.size for image in read_manifest(spec.source, spec.splits)]
    except StageError as error:
        raise DatasetError(f"{spec.source}: {error}. Import the data set again.") from error
