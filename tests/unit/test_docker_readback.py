"""Every field that was asked for is compared: each is changed once, and each change is seen."""

from copy import deepcopy
from typing import Any

import pytest
from docker.types import HostConfig

from evalsvc.executors.base import Limits
from evalsvc.executors.docker_readback import deviations
from evalsvc.executors.docker_spec import Plan, Site, submission_request

PLAN = Plan("77", "sha256:abc", Limits(gpus=1), command=("python", "/predict.py"))
REQUEST = submission_request(Site("here", "", "", 2), PLAN, "hash")
UNASKED = (
    "Binds", "VolumesFrom", "Links", "PortBindings", "PublishAllPorts", "ExtraHosts", "CapAdd", "GroupAdd",
    "Devices", "DeviceCgroupRules", "Sysctls", "CgroupParent", "Privileged", "AutoRemove", "OomKillDisable",
    "OomScoreAdj", "PidMode", "UTSMode", "UsernsMode",
)  # fmt: skip


def account() -> dict[str, Any]:
    """What the engine says of a container that is as it was asked for."""
    host: dict[str, Any] = deepcopy(dict(HostConfig(version="1.41", **REQUEST.host)))
    return {
        "Image": "sha256:abc",
        "Path": "python",
        "Args": ["/predict.py"],
        "Config": {
            "User": "65532:65532",
            "Env": ["HOME=/tmp", "PATH=/bin"],
            "Healthcheck": {"Test": ["NONE"]},
            "Labels": {**REQUEST.config["labels"], "of the image": "x"},
        },
        "Mounts": [
            {"Type": "volume", "Name": "ev-77-input", "Destination": "/input", "RW": False},
            {"Type": "volume", "Name": "ev-77-output", "Destination": "/output", "RW": True},
        ],
        "HostConfig": host
        | {
            "NetworkMode": "container:holder-id",
            "Runtime": "runc",
            "MaskedPaths": ["/x"],
            "ReadonlyPaths": ["/y"],
        },
    }


def seen(container: dict[str, Any]) -> tuple[str, ...]:
    return deviations(container, REQUEST, "holder-id", "runc")


def test_what_was_asked_for_does_not_deviate() -> None:
    assert seen(account()) == ()


@pytest.mark.parametrize("name", sorted({*account()["HostConfig"], *UNASKED}))
def test_every_setting_of_the_host_counts(name: str) -> None:
    changed = account()
    before = changed["HostConfig"].get(name)
    other: Any = {"Name": "always"} if name == "RestartPolicy" else {"x": 1}
    if name in {"MaskedPaths", "ReadonlyPaths", "Mounts", "Ulimits", "DeviceRequests"}:
        other = []
    elif name in UNASKED:
        other = ["x"]
    assert before != other
    changed["HostConfig"][name] = other
    assert name in seen(changed)
    if name not in UNASKED:
        del changed["HostConfig"][name]
        assert name in seen(changed)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("image", {"Image": "sha256:def"}),
        ("command", {"Path": "sh"}),
        ("command", {"Args": []}),
        ("mounted", {"Mounts": []}),
        ("user", {"User": ""}),
        ("environment", {"Env": ["HOME=/root"]}),
        ("environment", {"Env": ["HOME=/tmp", "HOME=/root"]}),
        ("health check", {"Healthcheck": None}),
        ("labels", {"Labels": {}}),
    ],
)
def test_everything_else_does_too(name: str, change: dict[str, Any]) -> None:
    changed = account()
    place = changed if change.keys() <= changed.keys() else changed["Config"]
    place.update(change)
    assert seen(changed) == (name,)


@pytest.mark.parametrize("part", ["Source", "Target", "ReadOnly", "VolumeOptions", "Type"])
def test_every_part_of_a_mount_counts(part: str) -> None:
    changed = account()
    changed["HostConfig"]["Mounts"][0] = {**changed["HostConfig"]["Mounts"][0], part: None}
    assert seen(changed) == ("Mounts",)
