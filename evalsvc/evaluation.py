"""From an attempt to a job, and from a job's predictions to a report: the only place that knows both sides.

File names inside a job are an HMAC under the attempt's key; here they are turned back into images.  Labels are
read here, in the service, after the submission is dead, and never go anywhere near a job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from evalsvc.domain.dataset import Split
from evalsvc.domain.labels import LabelTable
from evalsvc.domain.predictions import Prediction, parse_predictions
from evalsvc.domain.submission import Kind
from evalsvc.executors.base import JobSpec, RunLimits
from evalsvc.pod.naming import staged_name
from evalsvc.scoring.report import (
    SCORER_VERSION,
    density_predictions,
    endpoints_to_json,
    score_clinical,
    score_split,
)
from evalsvc.store import sealing

SPLITS: Final = {Kind.TRIAL: (Split.SAMPLE,), Kind.EVALUATION: (Split.PUBLIC, Split.PRIVATE)}
"""Both test splits run in the same job, so that the gap between them is the model's and nothing else's."""


@dataclass(frozen=True)
class Assignment:
    """What of an attempt's row determines its job."""

    attempt_id: str
    kind: Kind
    digest: str
    dataset_version: str
    name_key: bytes = field(repr=False)


def job_spec(data: Path, assignment: Assignment, limits: RunLimits) -> JobSpec:
    """The job that carries out an assignment, on the data set sealed in the folder `data`."""
    return JobSpec(
        attempt_id=assignment.attempt_id,
        image=assignment.digest,
        source=sealing.image_folder(data, assignment.dataset_version, sample=assignment.kind is Kind.TRIAL),
        splits=tuple(split.value for split in SPLITS[assignment.kind]),
        name_key=assignment.name_key,
        limits=limits.of(assignment.kind),
    )


def read_predictions(data: Path, assignment: Assignment, predictions: bytes) -> dict[Split, dict[str, Prediction]]:
    """Predictions by split and true file name.  Raises `PredictionsError`, or `DatasetError` for a broken seal."""
    manifest = sealing.manifest(data, assignment.dataset_version, sample=assignment.kind is Kind.TRIAL)
    images = {staged_name(assignment.name_key, image.path): image for image in manifest.images}
    found: dict[Split, dict[str, Prediction]] = {split: {} for split in SPLITS[assignment.kind]}
    for name, prediction in parse_predictions(predictions, images.keys()).items():
        found[Split(images[name].split)][images[name].filename] = prediction
    return found


def score(data: Path, assignment: Assignment, predictions: bytes) -> dict[str, Any]:
    """The report of an evaluation: each split alone, and the clinical endpoints on both together.

    Pure but for reading the sealed labels.  Raises `PredictionsError` or `DatasetError`.
    """
    found = read_predictions(data, assignment, predictions)
    version = assignment.dataset_version
    parts = {split: (sealing.load_labels(data, version, split), found[split]) for split in found}
    return {
        "schema_version": 1,
        "scorer_version": SCORER_VERSION,
        "private": score_split(*parts[Split.PRIVATE]).to_json(),
        "public": score_split(*parts[Split.PUBLIC]).to_json(),
        "both": _clinical(list(parts.values())),
    }


def _clinical(parts: Sequence[tuple[LabelTable, Mapping[str, Prediction]]]) -> dict[str, Any]:
    """The clinical endpoints on all parts together, the density comparators beside the model."""
    densities = [density_predictions(labels) for labels, _ in parts]
    common = [name for name in densities[0] if all(name in density for density in densities)]
    comparators = {
        name: score_clinical([(labels, d[name]) for (labels, _), d in zip(parts, densities, strict=True)])
        for name in common
    }
    return {
        "endpoints": endpoints_to_json(score_clinical(parts)),
        "comparators": {name: {"endpoints": endpoints_to_json(found)} for name, found in comparators.items()},
    }
