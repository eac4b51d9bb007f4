"""What every executor promises, so that the worker need not know where a container runs.

An executor is level-triggered.  `create` states what should exist, `observe` says what does exist (and, where no
cluster does that by itself, moves each job on to its next step), and both may be repeated at any time, by another
process, after a crash.  Nothing is remembered in memory that is not also a label on a container.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from evalsvc.domain.image import ResolvedImage as ResolvedImage
from evalsvc.domain.submission import Cause, Kind

MIB: Final = 1 << 20
GIB: Final = 1 << 30

NETWORK_REACHABLE: Final = "network reachable"
"""How the `detail` of an INFRASTRUCTURE failure begins when the offline proof failed: nothing may run then."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.  Sizes in bytes, times in seconds; `gpus` whole devices, `cpus` cores."""

    gpus: int = 1
    cpus: float = 4.0
    memory: int = 16 * GIB
    wall_time: float = 3600.0
    pids: int = 256
    output: int = 64 * MIB
    tmp: int = 2 * GIB
    shm: int = 2 * GIB
    predictions: int = 4 * MIB


@dataclass(frozen=True)
class RunLimits:
    """The limits of an evaluation, and how long (seconds) a trial may take instead."""

    limits: Limits
    trial_wall_time: float

    def of(self, kind: Kind) -> Limits:
        """The limits of a run of this kind."""
        return replace(self.limits, wall_time=self.trial_wall_time) if kind is Kind.TRIAL else self.limits


@dataclass(frozen=True)
class JobSpec:
    """One attempt, fully determined: the same spec always makes the same containers.

    source
        Folder with `manifest.json` (see `evalsvc.domain.dataset.Manifest`) and the images it names.  The stage
        step is the only one that ever sees it.
    splits
        Which splits of the manifest are staged.
    name_key
        32 secret bytes: staged file names are an HMAC of the image's path under it (`evalsvc.pod.naming`).
    """

    attempt_id: str
    image: str
    source: Path
    splits: tuple[str, ...]
    name_key: bytes = field(repr=False)
    limits: Limits = Limits()


class Phase(StrEnum):
    """WAITING is a job whose `create` did not come to its end, as after a crash: call it again, it goes on."""

    WAITING = "waiting"
    STAGING = "staging"
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(frozen=True)
class Observation:
    """What an executor sees of one job.

    `cause` is set only when the job is FINISHED and failed; `detail` explains it to maintainers.  A job that is
    FINISHED with no cause has ended well and can be harvested (which may still find no usable predictions).
    """

    attempt_id: str
    phase: Phase
    cause: Cause | None = None
    detail: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Executor(Protocol):
    """Runs jobs.  Every method may be called again at any time; none raises because of what a submission did."""

    name: str
    isolated: bool
    """Whether the submission is kept from the network, the host and the labels. If not: synthetic data only."""

    def check(self) -> None:
        """Raise `Unavailable`, saying what to do, when jobs cannot run here."""

    def create(self, spec: JobSpec) -> None:
        """Make the job exist; one that exists already is adopted.

        Raises `ImageRefused` when the image is gone, `Conflict` when a job of that name has another spec,
        `Unavailable` when the engine cannot be reached.
        """

    def observe(self) -> Sequence[Observation]:
        """Every job of this executor, finished ones that are not deleted included."""

    def harvest(self, attempt_id: str) -> bytes:
        """The bytes of predictions.csv of a finished job.

        Raises `JobFailed` with `no_predictions`, `output_too_large`, `invalid_predictions` (not a plain file) or
        `infrastructure` (the collector or its evidence is gone, or the frame is damaged: rerun).
        """

    def log(self, attempt_id: str, limit: int = 64 * 1024) -> bytes:
        """The end of what the submission printed, at most `limit` bytes; empty when it never ran."""

    def delete(self, attempt_id: str) -> None:
        """Stop and remove all that belongs to the job; one that is gone already is fine."""

    def wait(self, timeout: float) -> None:
        """Return as soon as something may have changed, and after `timeout` seconds at the latest."""

    def close(self) -> None:
        """Stop waiting threads and close connections; jobs go on."""


class ImageResolver(Protocol):
    """Finds an image by the name a researcher typed."""

    def resolve(self, reference: str) -> ResolvedImage:
        """Raises `NotFound` when there is no such image, `Unavailable` when the engine cannot be reached."""
