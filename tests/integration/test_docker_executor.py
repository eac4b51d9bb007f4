"""What the Docker executor does with a real engine beyond the contract: faults, foreign jobs, leftovers."""

import secrets
import uuid
from dataclasses import replace

import docker
import pytest

from evalsvc.domain.errors import Conflict, JobFailed, Unavailable
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Phase
from evalsvc.executors.docker import DockerExecutor
from evalsvc.executors.docker_images import DockerImages
from evalsvc.executors.docker_spec import ContainerRequest, Plan, Role, Site, labels, submission_request
from evalsvc.executors.spec_hash import spec_hash
from tests.images.jobs import LIMITS, Place

pytestmark = pytest.mark.docker

COMMAND = ("python", "-u", "/app/predict.py")


def belongings(api: docker.APIClient, label: str) -> list[str]:
    """The names of all containers and volumes with `label`."""
    containers = api.containers(all=True, filters={"label": label})
    volumes = api.volumes(filters={"label": label})["Volumes"] or []
    return sorted([found["Names"][0][1:] for found in containers] + [found["Name"] for found in volumes])


def test_a_job_is_three_containers_and_two_volumes_and_leaves_none(place: Place, api: docker.APIClient) -> None:
    spec = place.spec(place.image("honest"))
    place.finish(spec)
    label = f"evalsvc.attempt={spec.attempt_id}"
    name = f"ev-{spec.attempt_id}"
    parts = ("holder", "input", "output", "stage", "submission")
    assert belongings(api, label) == [f"{name}-{part}" for part in parts]
    place.executor.delete(spec.attempt_id)
    assert belongings(api, label) == []


def test_the_key_is_in_the_stage_container_alone(place: Place, api: docker.APIClient) -> None:
    spec = place.spec(place.image("honest"))
    place.finish(spec)
    seen = {role: repr(api.inspect_container(f"ev-{spec.attempt_id}-{role}")) for role in Role}
    assert [role for role, text in seen.items() if spec.name_key.hex() in text] == [Role.STAGE]
    assert [role for role, text in seen.items() if str(place.source) in text] == [Role.STAGE]


def test_another_instance_sees_nothing_of_it(place: Place) -> None:
    spec = place.spec(place.image("hang"))
    place.executor.create(spec)
    place.until(spec, {Phase.RUNNING})
    other = DockerExecutor(f"{place.instance}-other")
    try:
        assert other.observe() == []
        assert other.log(spec.attempt_id) == b""
        other.delete(spec.attempt_id)
        with pytest.raises(Conflict):
            other.create(spec)
    finally:
        other.close()
    seen = place.seen(spec)
    assert seen is not None
    assert seen.phase is Phase.RUNNING


def test_a_lost_holder_is_our_fault(place: Place, api: docker.APIClient) -> None:
    spec = place.spec(place.image("hang"))
    place.executor.create(spec)
    place.until(spec, {Phase.RUNNING})
    api.kill(f"ev-{spec.attempt_id}-holder")
    seen = place.until(spec, {Phase.FINISHED})
    assert seen.cause is Cause.INFRASTRUCTURE
    assert "holder" in seen.detail


def test_a_holder_lost_after_the_end_too_since_the_output_went_with_it(
    place: Place, api: docker.APIClient
) -> None:
    spec = place.spec(place.image("honest"))
    place.finish(spec)
    api.remove_container(f"ev-{spec.attempt_id}-holder", force=True)
    with pytest.raises(JobFailed) as failed:
        place.executor.harvest(spec.attempt_id)
    assert failed.value.cause is Cause.INFRASTRUCTURE


def test_a_network_that_answers_stops_the_attempt_and_says_so(place: Place) -> None:
    """Loopback refuses, which is an answer: the check is seen to bite."""
    place.executor = place.another(netcheck_targets=("127.0.0.1:9",))
    spec = place.spec(place.image("honest"))
    seen = place.finish(spec)
    assert (seen.cause, seen.detail) == (Cause.INFRASTRUCTURE, "network reachable: 127.0.0.1:9")
    assert place.executor.log(spec.attempt_id) == b""


@pytest.mark.parametrize(
    ("change", "deviation"),
    [
        ({"network_mode": "bridge"}, "NetworkMode"),
        ({"privileged": True}, "Privileged"),
        ({"read_only": False}, "ReadonlyRootfs"),
        ({"cap_drop": []}, "CapDrop"),
        ({"cap_add": ["NET_ADMIN"]}, "CapAdd"),
        ({"security_opt": []}, "SecurityOpt"),
        ({"pids_limit": None}, "PidsLimit"),
        ({"mem_limit": "1g", "memswap_limit": "2g"}, "Memory"),
        ({"nano_cpus": 10**8}, "NanoCpus"),
        ({"shm_size": 1 << 30}, "ShmSize"),
        ({"tmpfs": {}}, "Tmpfs"),
        ({"ulimits": []}, "Ulimits"),
        ({"binds": ["/:/host:ro"]}, "mounted"),
        ({"pid_mode": "host"}, "PidMode"),
    ],
)
def test_a_container_that_is_not_as_asked_for_never_starts(
    place: Place, api: docker.APIClient, change: dict[str, object], deviation: str
) -> None:
    """Someone else's container stands under the submission's name, with all the right labels."""
    spec = place.spec(place.image("honest"))
    plan = Plan(spec.attempt_id, spec.image, spec.limits, command=COMMAND)
    site = Site(place.instance, "", "0:0", 2)
    request = submission_request(site, plan, spec_hash(spec))
    place.executor.create(spec)
    api.remove_container(request.name)
    host = api.create_host_config(**{**request.host, **change})
    api.create_container(name=request.name, host_config=host, **request.config)
    seen = place.until(spec, {Phase.FINISHED})
    assert seen.cause is Cause.INFRASTRUCTURE
    assert deviation in seen.detail
    assert api.inspect_container(request.name)["State"]["Status"] == "created"


def test_another_image_under_the_submission_s_name_never_starts(place: Place, api: docker.APIClient) -> None:
    spec = place.spec(place.image("honest"))
    plan = Plan(spec.attempt_id, place.image("crash"), spec.limits, command=COMMAND)
    request = submission_request(Site(place.instance, "", "0:0", 2), plan, spec_hash(spec))
    place.executor.create(spec)
    api.remove_container(request.name)
    host = api.create_host_config(**request.host)
    marks = labels(
        Site(place.instance, "", "0:0", 2), replace(plan, image=spec.image), spec_hash(spec), "submission"
    )
    api.create_container(name=request.name, host_config=host, **{**request.config, "labels": marks})
    seen = place.until(spec, {Phase.FINISHED})
    assert seen.cause is Cause.INFRASTRUCTURE
    assert "image" in seen.detail


def test_a_volume_that_is_not_ours_is_not_used(place: Place, api: docker.APIClient) -> None:
    """One without limits under the right name would let the submission fill the disk."""
    spec = place.spec(place.image("honest"))
    name = f"ev-{spec.attempt_id}-output"
    api.create_volume(name)
    try:
        with pytest.raises(Conflict, match=f"docker volume rm {name}"):
            place.executor.create(spec)
        assert place.seen(spec) is None
    finally:
        api.remove_volume(name)
        place.executor.delete(spec.attempt_id)


def test_a_submission_that_was_not_made_in_time_is_made_later(place: Place, api: docker.APIClient) -> None:
    """As after a crash of the service between two requests: the labels are enough to go on."""
    spec = place.spec(place.image("honest"))
    place.executor.create(spec)
    api.remove_container(f"ev-{spec.attempt_id}-submission", force=True)
    place.executor = place.another()
    assert place.until(spec, {Phase.FINISHED}).cause is None
    assert place.executor.harvest(spec.attempt_id).count(b"\n") == 6


@pytest.mark.parametrize("role", list(Role))
def test_an_interrupted_create_is_completed_by_the_next(place: Place, role: Role) -> None:
    class Interrupted(DockerExecutor):
        def _ensure(self, request: ContainerRequest, start: bool) -> None:
            if request.name.endswith(role):
                raise KeyboardInterrupt
            super()._ensure(request, start)

    spec = place.spec(place.image("honest"))
    interrupted = Interrupted(place.instance)
    place.executors.append(interrupted)
    with pytest.raises(KeyboardInterrupt):
        interrupted.create(spec)
    seen = place.seen(spec)
    expected = {Role.HOLDER: None, Role.STAGE: Phase.WAITING, Role.SUBMISSION: Phase.STAGING}
    assert (seen and seen.phase) == expected[role]
    assert place.finish(spec).cause is None
    assert place.executor.harvest(spec.attempt_id).count(b"\n") == 6


def test_one_job_at_a_time_has_gpus_and_one_that_is_not_there_is_said(place: Place, api: docker.APIClient) -> None:
    """One test, since GPUs are the engine's: two tests at the same time would wait for each other."""
    if "nvidia" in api.info()["Runtimes"]:
        pytest.skip("this engine has GPUs")
    image = place.image("honest")
    first, second = (place.spec(image, limits=replace(LIMITS, gpus=1)) for _ in range(2))
    place.executor.create(first)
    place.executor.create(first)
    other = DockerExecutor(f"{place.instance}-other")
    place.executors.append(other)
    for executor in (place.executor, other):
        with pytest.raises(Unavailable, match=f"one job at a time .* attempt {first.attempt_id} has them"):
            executor.create(second)
    assert place.seen(second) is None
    assert place.finish(place.spec(image)).cause is None
    seen = place.until(first, {Phase.FINISHED})
    assert seen.cause is Cause.INFRASTRUCTURE
    assert "set gpus to 0" in seen.detail
    place.executor.delete(first.attempt_id)
    assert place.finish(second).cause is Cause.INFRASTRUCTURE


def test_more_cores_and_memory_than_the_machine_has_may_be_asked_for(place: Place) -> None:
    limits = replace(LIMITS, cpus=1000.0, memory=1 << 44)
    assert place.finish(place.spec(place.image("honest"), limits=limits)).cause is None


def test_old_volumes_without_containers_are_swept(
    place: Place, api: docker.APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = {"evalsvc.instance": place.instance, "evalsvc.attempt": "gone"}
    name = f"ev-gone-{uuid.uuid4().hex}-input"
    api.create_volume(name, labels=marks)
    place.executor.check()
    label = f"evalsvc.instance={place.instance}"
    assert belongings(api, label) == [name]
    monkeypatch.setattr("evalsvc.executors.docker._VOLUME_GRACE", -1.0)
    place.executor.check()
    assert belongings(api, label) == []


def test_a_runtime_that_the_engine_lacks_is_said() -> None:
    executor = DockerExecutor("test-runtime", runtime="no-such-runtime")
    with pytest.raises(Unavailable, match="no runtime 'no-such-runtime'"):
        executor.check()
    executor.close()


def test_a_base_image_that_is_nowhere_is_said() -> None:
    executor = DockerExecutor("test-base", pod_base_image="localhost:1/no-such-image:1")
    with pytest.raises(Unavailable, match="docker pull localhost:1/no-such-image:1"):
        executor.check()
    executor.close()


def test_an_engine_that_does_not_answer_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix:///tmp/no-such-engine-{secrets.token_hex(4)}.sock")
    executor, images = DockerExecutor("test-engine"), DockerImages()
    spec = place.spec("sha256:" + "0" * 64)
    for call in (
        executor.check,
        executor.observe,
        lambda: executor.create(spec),
        lambda: executor.harvest("a"),
        lambda: executor.log("a"),
        lambda: executor.delete("a"),
        lambda: images.resolve("a"),
    ):
        with pytest.raises(Unavailable, match="Is Docker running"):
            call()
    executor.wait(0.2)
    executor.close()
    images.close()
