"""What a trial asks of the local Docker engine beside running jobs: build a folder, count GPUs, watch memory."""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from evalsvc.domain.errors import InputError, Unavailable
from evalsvc.executors.docker_engine import APIError, Engine, reaching
from evalsvc.executors.docker_spec import ATTEMPT, ROLE, Role

INSTANCE: Final = f"try-{platform.node()}"
"""Tells trials on this machine from the services that may share its engine."""

ENOUGH_SAMPLES: Final = 4
"""Fewer come from a run of a second or two, of which they may have missed the most."""


def build_image(folder: Path, network: str | None) -> str:
    """Build the folder's Dockerfile, its output going to standard error; returns the tag, `<folder>:try`.

    Raises `InputError` when there is no Dockerfile or the build fails, `Unavailable` without the docker command.
    """
    if not (folder / "Dockerfile").is_file():
        raise InputError(f"{folder} has no Dockerfile. `evalsvc init DIR` makes a folder that has one.")
    if shutil.which("docker") is None:
        raise Unavailable(
            "Building needs the `docker` command, which is not installed: see docs.docker.com/get-docker."
        )
    tag = image_tag(folder)
    command = ["docker", "build", "--platform", "linux/amd64", "--tag", tag]
    if network:
        command += ["--network", network]
    result = subprocess.run([*command, str(folder)], stdout=sys.stderr)
    if result.returncode != 0:
        raise InputError(
            f"{folder} could not be built (above is why). If the build cannot reach the network, try "
            "--build-network host."
        )
    return tag


def image_tag(folder: Path) -> str:
    """A valid tag that the researcher recognises: the folder's name, in the characters Docker allows."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    return f"{name or 'submission'}:try"


def count_gpus(engine: Engine) -> int:
    """1 if the engine can give a container a GPU, else 0.  Raises `Unavailable`."""
    devices = [str(device.get("ID", "")) for device in engine.facts.get("DiscoveredDevices") or []]
    runtimes = engine.facts.get("Runtimes") or {}
    return int("nvidia" in runtimes or any("nvidia.com/gpu" in device for device in devices))


class MemoryWatch:
    """Looks at how much memory the submission's container uses; short peaks between two looks go unseen.

    Page cache that the kernel could drop is not counted, tmpfs is.
    """

    def __init__(self, engine: Engine, attempt_id: str) -> None:
        self._engine = engine
        self._filter = {"label": [f"{ATTEMPT}={attempt_id}", f"{ROLE}={Role.SUBMISSION}"]}
        self._samples: list[int] = []

    @property
    def peak(self) -> int | None:
        """The most that was seen, in bytes; None if the run was too short to say."""
        return max(self._samples) if len(self._samples) >= ENOUGH_SAMPLES else None

    def look(self) -> None:
        """Take one sample; a container that is just gone is fine."""
        try:
            with reaching():
                for container in self._engine.api.containers(filters=self._filter):
                    self._note(self._engine.api.stats(container["Id"], stream=False, one_shot=True))
        except (APIError, Unavailable):
            return

    def _note(self, sample: dict[str, Any]) -> None:
        memory = sample.get("memory_stats") or {}
        if "usage" not in memory:
            return
        details = memory.get("stats") or {}
        cache = details.get("total_inactive_file", details.get("inactive_file", 0))
        self._samples.append(memory["usage"] - cache)
