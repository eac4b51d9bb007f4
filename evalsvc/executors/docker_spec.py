"""From a job's spec to what the Docker engine is asked for: pure, so that every limit can be read and tested here.

Three containers share one network namespace that has nothing but loopback: the holder, which keeps the namespace
and both volumes alive as the pause container of a pod does, then stage, then the submission.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from evalsvc.executors.base import MIB, JobSpec, Limits
from evalsvc.pod.stage import KEY_VARIABLE

ATTEMPT: Final = "evalsvc.attempt"
INSTANCE: Final = "evalsvc.instance"
SPEC: Final = "evalsvc.spec"
ROLE: Final = "evalsvc.role"
PLAN: Final = "evalsvc.plan"

NOBODY: Final = 65532
"""User and group of the submission: exists on no host and owns nothing but /output."""
POD_CODE: Final = "/opt/evalsvc"
_PAGE = 4096


class Role(StrEnum):
    """The containers of one attempt, in the order in which they start."""

    HOLDER = "holder"
    STAGE = "stage"
    SUBMISSION = "submission"


@dataclass(frozen=True)
class Plan:
    """What must be known of a job after `create` is over and the key is gone; it is a label on every container.

    `image` is the engine's image id (sha256:...), `command` its entry point and arguments, `volumes` the paths it
    declares as volumes, `runtime` the OCI runtime of the submission ("" for the engine's own).
    """

    attempt_id: str
    image: str
    limits: Limits
    volumes: tuple[str, ...] = ()
    runtime: str = ""
    command: tuple[str, ...] = ()

    def to_label(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_label(cls, text: str) -> "Plan":
        """Raises `ValueError` for a label that another version wrote."""
        try:
            plan = json.loads(text)
            lists = {name: tuple(plan[name]) for name in ("volumes", "command")}
            return cls(**plan | lists | {"limits": Limits(**plan["limits"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"the label {PLAN} is of another version: {error}") from error

    def container(self, role: Role) -> str:
        return f"ev-{self.attempt_id}-{role}"

    @property
    def input_volume(self) -> str:
        return f"ev-{self.attempt_id}-input"

    @property
    def output_volume(self) -> str:
        return f"ev-{self.attempt_id}-output"


@dataclass(frozen=True)
class Site:
    """What the builders must know of the engine and of us.

    user
        `uid:gid` of the service: stage must read what the service sealed.
    """

    instance: str
    pod_image: str
    user: str
    cpus: int
    unreachable: tuple[str, ...] = ()


def labels(site: Site, plan: Plan, spec: str, role: str) -> dict[str, str]:
    """What `observe` finds its containers and volumes by, and remembers them by."""
    return {
        ATTEMPT: plan.attempt_id,
        INSTANCE: site.instance,
        SPEC: spec,
        ROLE: role,
        PLAN: plan.to_label(),
    }


def input_options(sizes: Sequence[int], user: str) -> dict[str, str]:
    """The tmpfs that takes images of `sizes` bytes, owned by the service; ro for everyone else by its mount."""
    pages = sum(-(-size // _PAGE) + 1 for size in sizes)
    csv = 40 * len(sizes)
    uid, gid = user.split(":")
    mount = f"size={pages * _PAGE + csv + MIB},uid={uid},gid={gid},mode=0755,nosuid,nodev,noexec"
    return _tmpfs(f"{mount},nr_inodes={len(sizes) + 16}")


def output_options(limits: Limits) -> dict[str, str]:
    """The tmpfs that is /output: full at its limit, in bytes and in files."""
    owner = f"uid={NOBODY},gid={NOBODY},mode=0700"
    return _tmpfs(f"size={limits.output},{owner},nosuid,nodev,noexec,nr_inodes=1024")


def _tmpfs(options: str) -> dict[str, str]:
    return {"type": "tmpfs", "device": "tmpfs", "o": options}


def _volume(target: str, name: str, read_only: bool) -> Mount:
    return Mount(target, name, type="volume", read_only=read_only, no_copy=True)


def _closed(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - what docker-py's create_host_config takes
    """What holds for every container of ours, trusted or not."""
    return {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "privileged": False,
        "init": True,
        "ipc_mode": "private",
        "restart_policy": {"Name": "no"},
        "ulimits": [Ulimit(name="nofile", soft=4096, hard=4096), Ulimit(name="core", soft=1, hard=1)],
        "log_config": LogConfig(type="json-file", config={"max-size": "512k", "max-file": "2"}),
        **more,
    }


def _memory(size: int) -> dict[str, int]:
    """As much swap as memory means: none on top."""
    return {"mem_limit": size, "memswap_limit": size}


@dataclass(frozen=True)
class ContainerRequest:
    """Arguments for docker-py: `config` for `create_container`, `host` for `create_host_config`.

    `runs` is the program and its arguments where these are the image's own.
    """

    name: str
    config: Mapping[str, Any]
    host: Mapping[str, Any]
    runs: tuple[str, ...] = ()


def holder_request(site: Site, plan: Plan, spec: str) -> ContainerRequest:
    """Owns the network namespace and keeps the volumes mounted; `collect` is executed in it."""
    host = _closed(
        network_mode="none",
        dns=["127.0.0.1"],
        pids_limit=32,
        mounts=[_volume("/input", plan.input_volume, True), _volume("/output", plan.output_volume, True)],
        **_memory(128 * MIB),
    )
    config = {
        "image": site.pod_image,
        "command": ["sleep", "infinity"],
        "user": f"{NOBODY}:{NOBODY}",
        "hostname": "sandbox",
        "labels": labels(site, plan, spec, Role.HOLDER),
    }
    return ContainerRequest(plan.container(Role.HOLDER), config, host)


def stage_request(site: Site, plan: Plan, spec: str, job: JobSpec, input_size: int) -> ContainerRequest:
    """The only container that sees the source folder and the key; `input_size` bytes go to its memory."""
    flags = [*(f"--split={split}" for split in job.splits), *(f"--unreachable={t}" for t in site.unreachable)]
    command = ["python", "-I", "-B", POD_CODE, "stage", "--source=/source", "--target=/input", "--loopback-only"]
    source = Mount("/source", str(Path(job.source).resolve()), type="bind", read_only=True)
    host = _closed(
        network_mode=f"container:{plan.container(Role.HOLDER)}",
        pids_limit=64,
        mounts=[source, _volume("/input", plan.input_volume, False)],
        **_memory(input_size + 256 * MIB),
    )
    config = {
        "image": site.pod_image,
        "command": command + flags,
        "user": site.user,
        "environment": {KEY_VARIABLE: job.name_key.hex()},
        "labels": labels(site, plan, spec, Role.STAGE),
    }
    return ContainerRequest(plan.container(Role.STAGE), config, host)


def submission_request(site: Site, plan: Plan, spec: str) -> ContainerRequest:
    """The untrusted container, with every limit there is."""
    limits = plan.limits
    host = _closed(
        network_mode=f"container:{plan.container(Role.HOLDER)}",
        pids_limit=limits.pids,
        nano_cpus=round(min(limits.cpus, site.cpus) * 1e9),
        shm_size=limits.shm,
        tmpfs=_scratch(plan),
        mounts=[_volume("/input", plan.input_volume, True), _volume("/output", plan.output_volume, False)],
        device_requests=_gpus(limits.gpus),
        runtime=plan.runtime or None,
        **_memory(limits.memory),
    )
    environment = {"HOME": "/tmp"}  # noqa: S108 - the only place in there that can be written besides /output
    config = {
        "image": plan.image,
        "command": None,
        "user": f"{NOBODY}:{NOBODY}",
        "environment": environment if limits.gpus else {**environment, "NVIDIA_VISIBLE_DEVICES": "void"},
        "healthcheck": {"test": ["NONE"]},
        "labels": labels(site, plan, spec, Role.SUBMISSION),
    }
    return ContainerRequest(plan.container(Role.SUBMISSION), config, host, plan.command)


def _scratch(plan: Plan) -> dict[str, str]:
    """The scratch folder may be executed from, as on a cluster: compilers need it, the code is untrusted anyway.

    A volume the image declares would be a writable folder on the host: a small tmpfs lies over it.
    """
    shadows = {path: f"rw,noexec,nosuid,nodev,size={MIB}" for path in plan.volumes if path not in _OURS}
    return {**shadows, "/tmp": f"rw,exec,nosuid,nodev,size={plan.limits.tmp},mode=1777"}  # noqa: S108


_OURS = frozenset({"/tmp", "/input", "/output", "/dev/shm"})  # noqa: S108 - mount points in the container


def _gpus(count: int) -> list[DeviceRequest] | None:
    return [DeviceRequest(count=count, capabilities=[["gpu"]])] if count else None


DEFAULT_UNREACHABLE: Final = (
    "169.254.169.254:80",
    "1.1.1.1:443",
    "1.1.1.1:53/udp",
    "[2606:4700:4700::1111]:443",
)
"""The cloud's metadata service, a public address, a DNS server, the same by IPv6."""


def bridge_targets(networks: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Where this machine would answer a container on the engine's own `networks`: their gateways."""
    configs = [config for network in networks for config in network["IPAM"]["Config"] or ()]
    hosts = [config.get("Gateway") or str(next(ip_network(config["Subnet"]).hosts())) for config in configs]
    named = [f"[{host}]" if ":" in host else host for host in hosts]
    return tuple(f"{host}:{port}" for host in named for port in (22, 80, 2375))


STAGE_TIME: Final = 900.0
"""Seconds after which a stage step that does not end is given up."""
