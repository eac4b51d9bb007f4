"""Everything before a trial runs: an executor that works here, an image that is admitted, images to run it on."""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from evalsvc.domain.errors import InputError, Unavailable
from evalsvc.domain.image import ResolvedImage
from evalsvc.executors.base import Executor, ImageResolver, Limits, Observation, Phase
from evalsvc.executors.docker_engine import Engine
from evalsvc.registry.image_policy import ImagePolicy, check_image
from evalsvc.trial import engine as local
from evalsvc.trial.run import Outcome, Trial, Watch, run_trial
from evalsvc.trial.samples import find_samples, synthesized_samples

Kind = Literal["docker", "process"]

NO_ENGINE: Final = (
    "{reason} To install Docker: docs.docker.com/get-docker. Without it, `--executor process` runs a folder made "
    "by `evalsvc init`, but isolates nothing."
)


@dataclass(frozen=True)
class Request:
    """What the researcher asked for.

    target
        An image's name, or a folder.
    data
        Where the sample images come from; None makes them up.
    gpus_wanted
        Takes the place of the limits' own; None means one if the engine has one.
    """

    target: str
    data: Path | None
    images: int
    limits: Limits
    gpus_wanted: int | None
    build_network: str | None


@dataclass(frozen=True)
class Parts:
    """What runs images here; `engine` is None where it is not Docker."""

    executor: Executor
    images: ImageResolver
    engine: Engine | None


@dataclass(frozen=True)
class Prepared:
    """A trial that can start, and the image as it was resolved."""

    image: ResolvedImage
    trial: Trial


@contextmanager
def open_parts(kind: Kind) -> Iterator[Parts]:
    """The parts of an executor that works here, closed again afterwards.  Raises `Unavailable`."""
    if kind == "process":
        with tempfile.TemporaryDirectory(prefix="evalsvc-process-") as state, _process(Path(state)) as parts:
            yield parts
        return
    with _docker() as parts:
        yield parts


@contextmanager
def _process(state: Path) -> Iterator[Parts]:
    from evalsvc.executors.process import FolderImages, ProcessExecutor

    executor = ProcessExecutor(state)
    try:
        executor.check()
        yield Parts(executor, FolderImages(state), None)
    finally:
        executor.close()


@contextmanager
def _docker() -> Iterator[Parts]:
    from evalsvc.executors.docker import DockerExecutor
    from evalsvc.executors.docker_images import DockerImages

    executor, images, engine = DockerExecutor(local.INSTANCE), DockerImages(), Engine()
    try:
        try:
            executor.check()
        except Unavailable as error:
            raise Unavailable(NO_ENGINE.format(reason=error)) from error
        remove_abandoned(executor)
        yield Parts(executor, images, engine)
    finally:
        executor.close()
        images.close()
        engine.close()


def prepare(parts: Parts, request: Request, samples: Sequence[Path]) -> Prepared:
    """Build if need be, resolve, check the image's policy.

    Raises `InputError`, `ImageRefused`, `NotFound`, `Unavailable`.
    """
    gpus = available_gpus(parts) if request.gpus_wanted is None else request.gpus_wanted
    image = parts.images.resolve(_reference(parts, request))
    check_image(image, ImagePolicy())
    attempt = f"try-{os.getpid()}-{secrets.token_hex(4)}"
    return Prepared(image, Trial(attempt, image.digest, tuple(samples), replace(request.limits, gpus=gpus)))


def choose_samples(request: Request, made: Callable[[], None]) -> list[Path]:
    """The researcher's images, or made-up ones; `made` is called after each that had to be made."""
    if request.data is not None:
        return find_samples(request.data, request.images)
    return synthesized_samples(request.images, made)


def available_gpus(parts: Parts) -> int:
    """1 if a submission can have a GPU here."""
    return local.count_gpus(parts.engine) if parts.engine else 0


def _reference(parts: Parts, request: Request) -> str:
    folder = Path(request.target)
    if folder.is_dir():
        return local.build_image(folder, request.build_network) if parts.engine else str(folder.resolve())
    if folder.exists() or request.target.startswith((".", "/", "~")):
        raise InputError(f"{request.target} is not a folder. Name a folder with a Dockerfile, or an image.")
    return request.target


def run(parts: Parts, prepared: Prepared, watch: Watch) -> tuple[Outcome, int | None]:
    """Run a prepared trial; also returns the most memory it was seen to use, in bytes, if it was seen."""
    if parts.engine is None:
        return run_trial(parts.executor, prepared.trial, watch), None
    memory = local.MemoryWatch(parts.engine, prepared.trial.attempt_id)

    def look(seen: Observation) -> None:
        watch(seen)
        if seen.phase is Phase.RUNNING:
            memory.look()

    return run_trial(parts.executor, prepared.trial, look), memory.peak


def remove_abandoned(executor: Executor) -> None:
    """Remove what trials left that were killed before they could clean up: their process is in their name."""
    for job in executor.observe():
        owner = job.attempt_id.removeprefix("try-").partition("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            executor.delete(job.attempt_id)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
