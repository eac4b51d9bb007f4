"""A place where the tests run jobs: sealed images, specs, and an executor of either kind that is cleaned up."""

import hashlib
import json
import os
import secrets
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import docker

from evalsvc.executors.base import MIB, Executor, ImageResolver, JobSpec, Limits, Observation, Phase
from evalsvc.executors.docker import DockerExecutor
from evalsvc.executors.docker_images import DockerImages
from evalsvc.executors.process import FolderImages, ProcessExecutor
from tests.images.build import DOCKERFILE, behaviour, build

LIMITS = Limits(
    gpus=0, cpus=1.0, memory=256 * MIB, wall_time=30.0, pids=64, output=8 * MIB, tmp=16 * MIB, shm=16 * MIB,
    predictions=MIB,
)  # fmt: skip


def seal(folder: Path, counts: dict[str, int]) -> Path:
    """Make a data set's folder: `counts` says how many images (random bytes) each split has."""
    entries = []
    for split, count in counts.items():
        (folder / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            content = os.urandom(1000 + number)
            path = f"{split}/{split}_{number}.png"
            (folder / path).write_bytes(content)
            entries.append({"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)})
    (folder / "manifest.json").write_text(json.dumps({"images": entries}))
    return folder


@dataclass
class Place:
    """One kind of executor, its images, and a data set of 5 private and 3 public images."""

    kind: str
    folder: Path
    instance: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:12]}")
    executors: list[Executor] = field(default_factory=list)
    resolvers: list[DockerImages] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source = seal(self.folder / "sealed", {"private": 5, "test": 3})
        self.executor = self.another()

    def another(self, *, netcheck_targets: tuple[str, ...] = ()) -> Executor:
        """A further executor of the same jobs, as after a restart of the service."""
        made: Executor
        if self.kind == "docker":
            made = DockerExecutor(self.instance, netcheck_targets=netcheck_targets)
        else:
            made = ProcessExecutor(self.folder / "state")
        self.executors.append(made)
        return made

    def resolver(self) -> ImageResolver:
        if self.kind == "process":
            return FolderImages(self.folder / "state")
        images = DockerImages()
        self.resolvers.append(images)
        return images

    def image(self, name: str) -> str:
        """The digest of a submission with the behaviour `name`."""
        made = behaviour(self.folder / "submissions" / name, name)
        return self.resolver().resolve(build(made, name) if self.kind == "docker" else str(made)).digest

    def greedy(self, name: str, dockerfile: str = DOCKERFILE) -> str:
        """The digest of a submission that is greedy for `name`."""
        made = behaviour(self.folder / "submissions" / f"greedy-{name}", name, "greedy.py")
        return self.resolver().resolve(build(made, f"greedy-{name}", dockerfile)).digest

    def spec(
        self, image: str, *, splits: tuple[str, ...] = ("private",), limits: Limits = LIMITS, key: bytes = b""
    ) -> JobSpec:
        key = key or secrets.token_bytes(32)
        self.attempts.append(f"test-{uuid.uuid4().hex}")
        return JobSpec(self.attempts[-1], image, self.source, splits, key, limits)

    def finish(self, spec: JobSpec, within: float = 60.0) -> Observation:
        """Create the job and look until it has finished."""
        self.executor.create(spec)
        return self.until(spec, {Phase.FINISHED}, within)

    def until(self, spec: JobSpec, phases: set[Phase], within: float = 60.0) -> Observation:
        """Look until the job is in one of `phases`."""
        deadline = time.monotonic() + within
        while True:
            seen = self.seen(spec)
            assert seen is not None, "the job is not there"
            if seen.phase in phases:
                return seen
            assert time.monotonic() < deadline, seen
            self.executor.wait(0.3)

    def seen(self, spec: JobSpec) -> Observation | None:
        found = [seen for seen in self.executor.observe() if seen.attempt_id == spec.attempt_id]
        assert len(found) < 2
        return found[0] if found else None

    def leftovers(self) -> list[str]:
        """Volumes of jobs of this place; one that was made without labels counts too."""
        client = docker.from_env()
        volumes = client.api.volumes()["Volumes"] or []
        client.close()
        return [volume["Name"] for volume in volumes if any(name in volume["Name"] for name in self.attempts)]

    def close(self) -> None:
        """Delete every job, see that nothing is left, and close all connections."""
        for seen in self.executor.observe():
            self.executor.delete(seen.attempt_id)
        assert self.executor.observe() == []
        if isinstance(self.executor, DockerExecutor):
            assert self.leftovers() == []
        for closed in (*self.executors, *self.resolvers):
            closed.close()
