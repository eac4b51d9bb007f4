"""What a refusal by the engine, or by us, means for the one job that it is about."""

from evalsvc.domain.errors import Conflict, ImageRefused
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Observation, Phase
from evalsvc.executors.docker_engine import APIError
from evalsvc.executors.docker_faults import image_fault
from evalsvc.executors.docker_spec import Role
from evalsvc.executors.docker_steps import submission_fault
from evalsvc.executors.docker_view import Job


def job_refused(job: Job, error: APIError) -> Observation:
    """The end of a job that the engine refuses something; a fault of the engine's own may pass and ends none."""
    words = str(error.explanation or error)
    if error.is_server_error() and image_fault(words) is None:
        runs = job.parts.get(Role.SUBMISSION, {}).get("State") == "running"
        return Observation(job.attempt_id, Phase.RUNNING if runs else Phase.STAGING, detail=words)
    fault = submission_fault(words)
    return ended(job, fault.cause, fault.detail)


def ended(job: Job, cause: Cause | None, detail: str) -> Observation:
    return Observation(job.attempt_id, Phase.FINISHED, cause, detail)


def gone(image: str) -> ImageRefused:
    return ImageRefused(
        f"The image {image} is no longer in the Docker engine. Build or pull it, then submit again."
    )


def other_spec(attempt_id: str) -> Conflict:
    return Conflict(f"There is a job of attempt {attempt_id} with another specification. Delete it first.")
