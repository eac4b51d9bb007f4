"""Images and leftovers that go wrong in the engine's hands: each is one job's end, and no other's."""

import json
import socket
import time
from dataclasses import replace

import docker
import pytest

from evalsvc.domain.errors import ImageRefused, InputError, JobFailed
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Phase
from evalsvc.executors.docker import DockerExecutor
from evalsvc.executors.docker_spec import ContainerRequest, Role
from tests.images.build import BASE, build
from tests.images.jobs import LIMITS, Place

pytestmark = pytest.mark.docker


class Slow(DockerExecutor):
    """Dies before the submission is made."""

    def _ensure(self, request: ContainerRequest, start: bool) -> None:
        if request.name.endswith(Role.SUBMISSION):
            raise KeyboardInterrupt
        super()._ensure(request, start)


def image_of(place: Place, name: str, *lines: str) -> str:
    folder = place.folder / "submissions" / name
    folder.mkdir(parents=True)
    (folder / "x").write_text("")
    dockerfile = "\n".join((f"FROM {BASE}", *lines, ""))
    return place.resolver().resolve(build(folder, name, dockerfile)).digest


@pytest.mark.parametrize(
    ("name", "line", "told"),
    [
        ("output-file", "RUN touch /output", "In the image /output is not an ordinary folder"),
        ("input-file", "RUN touch /input", "In the image /input is not an ordinary folder"),
        ("output-proc", "RUN ln -s /proc /output", "In the image /output is not an ordinary folder"),
        ("output-loop", "RUN ln -s /output /output", "In the image /output is not an ordinary folder"),
        ("tmp-file", "RUN rm -rf /tmp && touch /tmp", "In the image /tmp is not an ordinary folder"),
        ("init-folder", "COPY x /sbin/docker-init/x", "something at /sbin/docker-init"),
        ("closed-folder", "RUN chmod 700 /usr/sbin", "cannot be executed by user 65532"),
        ("passwd-folder", "RUN rm /etc/passwd && mkdir /etc/passwd", "/etc/passwd or /etc/group"),
        ("passwd-pipe", "RUN rm /etc/passwd && mkfifo /etc/passwd", "/etc/passwd or /etc/group"),
        ("group-pipe", "RUN rm /etc/group && mkfifo /x1 && ln -s /x1 /etc/group", "/etc/passwd or /etc/group"),
    ],
)
def test_an_image_that_cannot_start_is_refused_in_words_for_its_author(
    place: Place, name: str, line: str, told: str
) -> None:
    image = image_of(place, name, line, 'ENTRYPOINT ["true"]')
    began = time.monotonic()
    seen = place.finish(place.spec(image))
    assert seen.cause is Cause.IMAGE_REFUSED
    assert told in seen.detail
    assert "/var/lib" not in seen.detail
    assert seen.started_at is None
    assert time.monotonic() - began < 20


def test_an_image_without_a_command_is_refused_at_once_and_later(place: Place) -> None:
    spec = place.spec(image_of(place, "no-command", 'ENTRYPOINT [""]', "CMD []"))
    with pytest.raises(ImageRefused, match="neither ENTRYPOINT nor CMD"):
        place.executor.create(spec)
    seen = place.until(spec, {Phase.FINISHED})
    assert (seen.cause, seen.detail) == (Cause.IMAGE_REFUSED, "The image has neither ENTRYPOINT nor CMD.")


def test_an_image_removed_before_its_container_is_made_ends_its_job_alone(
    place: Place, api: docker.APIClient
) -> None:
    spec, other = (
        place.spec(image_of(place, "removed", f"LABEL x={place.instance}", 'ENTRYPOINT ["true"]')),
        place.spec(place.image("honest")),
    )
    slow = Slow(place.instance)
    place.executors.append(slow)
    with pytest.raises(KeyboardInterrupt):
        slow.create(spec)
    api.remove_image(spec.image, force=True)
    place.executor.create(other)
    assert place.until(spec, {Phase.FINISHED}).cause is Cause.IMAGE_REFUSED
    assert place.until(other, {Phase.FINISHED}).cause is None


@pytest.mark.parametrize(
    "change",
    [
        {"evalsvc.plan": json.dumps({"attempt_id": "a", "image": "b", "limits": {"unheard_of": 1}})},
        {"evalsvc.plan": "{"},
        {"evalsvc.plan": None},
        {"evalsvc.spec": None},
        {"evalsvc.role": "sidecar"},
        {"evalsvc.role": None},
    ],
)
def test_labels_of_another_version_end_their_job_alone(
    place: Place, api: docker.APIClient, change: dict[str, str | None]
) -> None:
    image = place.image("honest")
    attempt, other = place.spec(image).attempt_id, place.spec(image)
    marks = {
        "evalsvc.attempt": attempt, "evalsvc.instance": place.instance, "evalsvc.spec": "1",
        "evalsvc.role": "submission", "evalsvc.plan": "{}", **change,
    }  # fmt: skip
    api.create_container(image, name=f"ev-{attempt}-x", labels={k: v for k, v in marks.items() if v is not None})
    assert place.finish(other).cause is None
    seen = next(seen for seen in place.executor.observe() if seen.attempt_id == attempt)
    assert (seen.phase, seen.cause) == (Phase.FINISHED, Cause.INFRASTRUCTURE)
    assert seen.detail
    with pytest.raises(JobFailed):
        place.executor.harvest(attempt)
    assert place.executor.log(attempt) == b""
    place.executor.check()
    place.executor.delete(attempt)
    assert [seen.attempt_id for seen in place.executor.observe()] == [other.attempt_id]


def test_another_job_under_the_submission_s_name_ends_its_job_alone(place: Place, api: docker.APIClient) -> None:
    spec, other = place.spec(place.image("honest")), place.spec(place.image("honest"))
    place.executor.create(spec)
    name = f"ev-{spec.attempt_id}-submission"
    api.remove_container(name, force=True)
    api.create_container(spec.image, name=name)
    try:
        seen = place.until(spec, {Phase.FINISHED})
        assert (seen.cause, "another specification" in seen.detail) == (Cause.INFRASTRUCTURE, True)
        assert place.finish(other).cause is None
    finally:
        api.remove_container(name, force=True)


@pytest.mark.parametrize(("behaviour", "wait"), [("hang", 2.5), ("slow", 4.0)])
def test_time_runs_while_nobody_looks(place: Place, behaviour: str, wait: float) -> None:
    """The worker is down: the submission runs on past its limit, or ends past it by itself and well."""
    spec = place.spec(place.image(behaviour), limits=replace(LIMITS, wall_time=1.0))
    place.executor.create(spec)
    running = place.until(spec, {Phase.RUNNING})
    assert running.started_at is not None
    place.executor.close()
    time.sleep(wait)
    place.executor = place.another()
    first = place.seen(spec)
    assert first is not None
    assert first.started_at == running.started_at
    assert place.until(spec, {Phase.FINISHED}).cause is Cause.TIMED_OUT


def test_a_lost_holder_does_not_excuse_having_run_too_long(place: Place, api: docker.APIClient) -> None:
    spec = place.spec(place.image("hang"), limits=replace(LIMITS, wall_time=2.0))
    place.executor.create(spec)
    place.until(spec, {Phase.RUNNING})
    api.remove_container(f"ev-{spec.attempt_id}-holder", force=True)
    time.sleep(2.1)
    assert place.until(spec, {Phase.FINISHED}).cause is Cause.TIMED_OUT


def test_a_name_does_not_lead_the_engine_elsewhere(place: Place, api: docker.APIClient) -> None:
    """The engine would ask a registry of the name's choice; that it would is seen first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(10)
        api.timeout = 1
        with pytest.raises((docker.errors.APIError, OSError)):
            api.inspect_image(f"../distribution/127.0.0.1:{port}/secret")
        while True:  # as often as the engine tries
            try:
                listener.accept()[0].close()
                listener.settimeout(1)
            except TimeoutError:
                break
        for name in (f"../distribution/127.0.0.1:{port}/secret", "../containers/x", ".", "..", "a/../../info"):
            with pytest.raises(InputError, match="not the name of an image"):
                place.resolver().resolve(name)
            with pytest.raises(ImageRefused, match="not the name of an image"):
                place.executor.create(place.spec(name))
        with pytest.raises(TimeoutError):
            listener.accept()


def test_the_machine_says_its_memory(place: Place) -> None:
    assert isinstance(place.executor, DockerExecutor)
    assert place.executor.machine_memory() > 1 << 30
