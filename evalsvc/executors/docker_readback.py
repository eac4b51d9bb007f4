"""Whether the engine made the submission's container as it was asked to: its own account of it, field by field.

The request itself is what the account is compared to, so a limit that is added there is compared here.
"""

from collections.abc import Mapping
from typing import Any, Final

from docker.types import HostConfig

from evalsvc.executors.docker_spec import ContainerRequest

_API: Final = "1.41"
"""Of the words of a request; the words compared here are the same in every later version."""

_NOTHING: Final = (
    "Binds", "VolumesFrom", "Links", "PortBindings", "PublishAllPorts", "ExtraHosts", "CapAdd", "GroupAdd",
    "Devices", "DeviceCgroupRules", "Sysctls", "CgroupParent", "Privileged", "AutoRemove", "OomKillDisable",
    "OomScoreAdj", "PidMode", "UTSMode", "UsernsMode",
)  # fmt: skip
"""Settings of a container that are never asked for, each a way around a limit."""


def deviations(
    container: Mapping[str, Any], request: ContainerRequest, holder_id: str, runtime: str
) -> tuple[str, ...]:
    """The names of what differs (empty: nothing does).

    `container` is what the engine says of it (`docker inspect`), `runtime` the engine's own OCI runtime.
    """
    seen = {**_host_seen(container), **_config_seen(container, request)}
    asked = {**_host_asked(request, holder_id, runtime), **_config_asked(request)}
    return tuple(name for name, wanted in asked.items() if seen.get(name) != wanted)


def _host_asked(request: ContainerRequest, holder_id: str, runtime: str) -> dict[str, Any]:
    asked = dict(HostConfig(version=_API, **request.host))
    asked |= {name: None for name in _NOTHING} | {"MaskedPaths": True, "ReadonlyPaths": True}
    asked |= {"NetworkMode": f"container:{holder_id}", "DeviceRequests": asked.get("DeviceRequests") or None}
    asked |= {"Mounts": _mounts(asked["Mounts"]), "Runtime": asked.get("Runtime") or runtime}
    asked["Ulimits"] = _named(asked["Ulimits"])
    asked["DeviceRequests"] = _devices(asked["DeviceRequests"])
    asked["RestartPolicy"] = asked["RestartPolicy"]["Name"]
    return asked


def _host_seen(container: Mapping[str, Any]) -> dict[str, Any]:
    seen = dict(container["HostConfig"])
    seen |= {name: seen.get(name) or None for name in _NOTHING}
    seen |= {name: bool(seen.get(name)) for name in ("MaskedPaths", "ReadonlyPaths")}
    seen |= {"Mounts": _mounts(seen.get("Mounts")), "Ulimits": _named(seen.get("Ulimits"))}
    seen["DeviceRequests"] = _devices(seen.get("DeviceRequests"))
    seen["RestartPolicy"] = (seen.get("RestartPolicy") or {}).get("Name")
    return seen


def _mounts(mounts: Any) -> list[tuple[object, ...]]:  # noqa: ANN401 - the engine's JSON, or docker-py's
    """What is mounted where, and how; the engine leaves out what is false."""
    return [
        (
            mount.get("Type"),
            mount.get("Source"),
            mount.get("Target"),
            bool(mount.get("ReadOnly")),
            (mount.get("VolumeOptions") or {}).get("NoCopy"),
        )
        for mount in mounts or ()
    ]


def _named(limits: Any) -> list[tuple[object, ...]]:  # noqa: ANN401
    return sorted((limit.get("Name"), limit.get("Soft"), limit.get("Hard")) for limit in limits or ())


def _devices(requests: Any) -> list[tuple[object, ...]]:  # noqa: ANN401
    return [
        (found.get("Driver") or "", found.get("Count"), found.get("DeviceIDs") or [], found.get("Capabilities"))
        for found in requests or ()
    ]


def _config_asked(request: ContainerRequest) -> dict[str, Any]:
    config, binds = request.config, request.host["mounts"]
    return {
        "image": config["image"],
        "command": list(request.runs),
        "user": config["user"],
        "environment": {name: [value] for name, value in config["environment"].items()},
        "health check": config["healthcheck"]["test"],
        "labels": config["labels"],
        "mounted": sorted((mount["Source"], mount["Target"], not mount["ReadOnly"]) for mount in binds),
    }


def _config_seen(container: Mapping[str, Any], request: ContainerRequest) -> dict[str, Any]:
    config = container["Config"]
    pairs = [variable.partition("=")[::2] for variable in config.get("Env") or ()]
    return {
        "image": container["Image"],
        "command": [container["Path"], *container["Args"]],
        "user": config["User"],
        "environment": {name: [v for n, v in pairs if n == name] for name in request.config["environment"]},
        "health check": (config.get("Healthcheck") or {}).get("Test"),
        "labels": {name: config["Labels"].get(name) for name in request.config["labels"]},
        "mounted": sorted((m.get("Name") or "", m["Destination"], m["RW"]) for m in container["Mounts"]),
    }
