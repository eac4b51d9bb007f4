"""Runs one trial from start to end on an executor and says how it went."""

import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evalsvc.domain.dataset import ManifestImage, Split
from evalsvc.domain.errors import JobFailed, PredictionsError
from evalsvc.domain.predictions import Prediction, parse_predictions
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Executor, JobSpec, Limits, Observation, Phase
from evalsvc.pod.naming import staged_name
from evalsvc.trial.samples import seal_samples

POLL: Final = 0.5
"""Seconds between two looks, where the executor has nothing to tell earlier."""


@dataclass(frozen=True)
class Trial:
    """What to run: the image's digest, on which images, under which limits."""

    attempt_id: str
    image: str
    samples: Sequence[Path]
    limits: Limits


@dataclass(frozen=True)
class Outcome:
    """How a trial went; `cause` is None when it went well.

    seconds
        Wall time of the submission itself, staging and collecting aside.
    predictions
        By the sample's own file name; empty when there are none that follow the contract.
    written
        The bytes of predictions.csv, if the submission wrote one that can be read.
    """

    cause: Cause | None
    detail: str
    log: bytes
    seconds: float
    predictions: dict[str, Prediction]
    written: bytes


Watch = Callable[[Observation], None]


def run_trial(executor: Executor, trial: Trial, watch: Watch) -> Outcome:
    """Run `trial`; `watch` is told of every look.  Whatever happens, nothing of it is left behind.

    Raises what `Executor.create` raises, and `ImageError` for a sample that is not as the service's images are.
    """
    with tempfile.TemporaryDirectory(prefix="evalsvc-try-") as folder:
        source = Path(folder)
        source.chmod(0o755)  # an engine that remaps users reads it as somebody else
        images = seal_samples(trial.samples, source)
        spec = JobSpec(
            trial.attempt_id, trial.image, source, (Split.SAMPLE,), secrets.token_bytes(32), trial.limits
        )
        try:
            executor.create(spec)
            return _outcome(executor, spec, images, _finished(executor, spec.attempt_id, watch))
        finally:
            executor.delete(spec.attempt_id)


def _finished(executor: Executor, attempt_id: str, watch: Watch) -> tuple[Observation, float]:
    """The last observation, and the seconds between the first look at the running submission and its end."""
    started: float | None = None
    while True:
        seen = next((job for job in executor.observe() if job.attempt_id == attempt_id), None)
        if seen is None:
            raise JobFailed(Cause.INFRASTRUCTURE, "the containers of the trial were removed by somebody else")
        watch(seen)
        now = time.monotonic()
        if seen.phase is Phase.FINISHED:
            return seen, _seconds(seen, now - (started or now))
        if seen.phase is Phase.RUNNING and started is None:
            started = now
        executor.wait(POLL)


def _seconds(seen: Observation, counted: float) -> float:
    """The engine's own times where it gives them."""
    if seen.started_at and seen.finished_at:
        return (seen.finished_at - seen.started_at).total_seconds()
    return counted


def _outcome(
    executor: Executor, spec: JobSpec, images: Sequence[ManifestImage], end: tuple[Observation, float]
) -> Outcome:
    seen, seconds = end
    log = executor.log(spec.attempt_id)
    cause, detail, written, predictions = seen.cause, seen.detail, b"", {}
    if cause is None:
        try:
            written = executor.harvest(spec.attempt_id)
            predictions = _by_sample(written, spec.name_key, images)
        except JobFailed as error:
            cause, detail = error.cause, error.detail
        except PredictionsError as error:
            cause, detail = Cause.INVALID_PREDICTIONS, str(error)
    return Outcome(cause, detail, log, seconds, predictions, written)


def _by_sample(written: bytes, key: bytes, images: Sequence[ManifestImage]) -> dict[str, Prediction]:
    """The predictions under the samples' own names, in the samples' order."""
    names = {staged_name(key, image.path): image.filename for image in images}
    found = parse_predictions(written, names.keys())
    return {original: found[name] for name, original in names.items()}
