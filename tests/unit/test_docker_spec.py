"""What the engine is asked for, compared whole; and that the key is nowhere but where it must be."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from evalsvc.executors.base import GIB, MIB, JobSpec, Limits
from evalsvc.executors.docker_images import build_context, pod_tag
from evalsvc.executors.docker_spec import (
    Plan,
    Site,
    holder_request,
    input_options,
    labels,
    output_options,
    stage_request,
    submission_request,
)
from evalsvc.executors.spec_hash import spec_hash

LIMITS = Limits(gpus=0)
PLAN = Plan("77", "sha256:abc", LIMITS)
SITE = Site("here", "evalsvc-pod:1", "1000:1001", 2, ("192.0.2.1:80",))
JOB = JobSpec("77", "sha256:abc", Path("/sealed/1"), ("private", "test"), b"K" * 32, LIMITS)
CLOSED = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "privileged": False,
    "init": True,
    "ipc_mode": "private",
    "restart_policy": {"Name": "no"},
    "ulimits": [Ulimit(name="nofile", soft=4096, hard=4096), Ulimit(name="core", soft=1, hard=1)],
    "log_config": LogConfig(type="json-file", config={"max-size": "512k", "max-file": "2"}),
}
INPUT = Mount("/input", "ev-77-input", type="volume", read_only=True, no_copy=True)
OUTPUT = Mount("/output", "ev-77-output", type="volume", read_only=False, no_copy=True)


def test_the_submission_gets_every_limit() -> None:
    request = submission_request(SITE, PLAN, "hash")
    assert request.name == "ev-77-submission"
    assert request.host == CLOSED | {
        "network_mode": "container:ev-77-holder",
        "pids_limit": 256,
        "nano_cpus": 2_000_000_000,
        "shm_size": 2 * GIB,
        "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,size={2 * GIB},mode=1777"},
        "mounts": [INPUT, OUTPUT],
        "device_requests": None,
        "runtime": None,
        "mem_limit": 16 * GIB,
        "memswap_limit": 16 * GIB,
    }
    assert request.config == {
        "image": "sha256:abc",
        "command": None,
        "user": "65532:65532",
        "environment": {"HOME": "/tmp", "NVIDIA_VISIBLE_DEVICES": "void"},
        "healthcheck": {"test": ["NONE"]},
        "labels": labels(SITE, PLAN, "hash", "submission"),
    }


def test_the_cpu_limit_is_used_where_the_machine_has_more() -> None:
    plan = replace(PLAN, limits=replace(LIMITS, cpus=1.5))
    assert submission_request(SITE, plan, "").host["nano_cpus"] == 1_500_000_000


def test_a_gpu_is_asked_for_only_when_there_is_one_to_have() -> None:
    request = submission_request(SITE, replace(PLAN, limits=replace(LIMITS, gpus=2)), "")
    assert request.host["device_requests"] == [DeviceRequest(count=2, capabilities=[["gpu"]])]
    assert "NVIDIA_VISIBLE_DEVICES" not in request.config["environment"]


def test_another_runtime_runs_the_submission_alone() -> None:
    plan = replace(PLAN, runtime="runsc")
    assert submission_request(SITE, plan, "").host["runtime"] == "runsc"
    assert "runtime" not in holder_request(SITE, plan, "").host
    assert "runtime" not in stage_request(SITE, plan, "", JOB, 0).host


def test_volumes_of_an_image_are_covered_but_never_our_own_places() -> None:
    tmpfs = submission_request(SITE, replace(PLAN, volumes=("/data", "/tmp", "/output")), "").host["tmpfs"]
    assert tmpfs.keys() == {"/data", "/tmp"}
    assert tmpfs["/data"] == f"rw,noexec,nosuid,nodev,size={MIB}"
    assert f"size={2 * GIB}" in tmpfs["/tmp"]


def test_stage_alone_sees_the_source_and_the_key() -> None:
    stage = stage_request(SITE, PLAN, "hash", JOB, 1000)
    assert stage.host["mounts"] == [
        Mount("/source", "/sealed/1", type="bind", read_only=True),
        Mount("/input", "ev-77-input", type="volume", read_only=False, no_copy=True),
    ]
    assert stage.config["user"] == "1000:1001"
    assert stage.host["cap_drop"] == ["ALL"]
    assert stage.config["command"][-4:] == [
        "--loopback-only",
        "--split=private",
        "--split=test",
        "--unreachable=192.0.2.1:80",
    ]
    key = JOB.name_key.hex()
    assert stage.config["environment"] == {"EVALSVC_NAME_KEY": key}
    others = [holder_request(SITE, PLAN, "hash"), submission_request(SITE, PLAN, "hash")]
    for text in (*map(repr, others), repr(stage.config["labels"]), repr(stage.config["command"]), repr(JOB)):
        assert key not in text
        assert "KKKK" not in text
    assert all("/sealed/1" not in repr(other) for other in others)


def test_the_holder_has_no_network_and_writes_nowhere() -> None:
    host = holder_request(SITE, PLAN, "hash").host
    assert host["network_mode"] == "none"
    assert host["mounts"] == [INPUT, OUTPUT | {"ReadOnly": True}]
    assert (host["read_only"], host["cap_drop"]) == (True, ["ALL"])


def test_a_plan_survives_as_a_label() -> None:
    plan = replace(PLAN, volumes=("/a", "/b"), runtime="runsc", limits=Limits(cpus=0.5))
    assert Plan.from_label(labels(SITE, plan, "", "stage")["evalsvc.plan"]) == plan
    json.loads(plan.to_label())


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, attempt_id="78"),
        replace(JOB, image="sha256:def"),
        replace(JOB, source=Path("/sealed/2")),
        replace(JOB, splits=("private",)),
        replace(JOB, name_key=b"L" * 32),
        replace(JOB, limits=replace(LIMITS, pids=255)),
    ],
)
def test_every_part_of_a_spec_counts(other: JobSpec) -> None:
    assert spec_hash(other) != spec_hash(JOB)
    assert spec_hash(replace(JOB, splits=("test", "private"))) == spec_hash(JOB)


def test_the_volumes_are_small_file_systems_of_their_owners() -> None:
    assert output_options(LIMITS)["o"] == (
        f"size={64 * MIB},uid=65532,gid=65532,mode=0700,nosuid,nodev,noexec,nr_inodes=1024"
    )
    options = dict(
        part.partition("=")[::2] for part in input_options([1, 4096, 4097], "1000:1001")["o"].split(",")
    )
    assert int(options["size"]) >= 4 * 4096 + MIB
    assert (options["uid"], options["gid"], options["mode"], options["nr_inodes"]) == (
        "1000",
        "1001",
        "0755",
        "19",
    )


def test_the_pod_image_is_named_by_its_content() -> None:
    context = build_context("base")
    assert context.keys() >= {"Dockerfile", "__main__.py", "evalsvc/__init__.py", "evalsvc/pod/stage.py"}
    assert pod_tag(context, "sha256:1") == pod_tag(dict(reversed(context.items())), "sha256:1")
    changed = {
        pod_tag(context, "sha256:2"),
        pod_tag(build_context("other"), "sha256:1"),
        pod_tag(context | {"evalsvc/pod/stage.py": b""}, "sha256:1"),
    }
    assert len(changed | {pod_tag(context, "sha256:1")}) == 4
