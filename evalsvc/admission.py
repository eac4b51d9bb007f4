"""What happens between a request to submit and a row in the queue: all checks, then one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from evalsvc.domain.disclosure import shown_at, visible_history
from evalsvc.domain.errors import Conflict, Unavailable
from evalsvc.domain.submission import FREE_TO_CANCEL, State
from evalsvc.executors.base import ImageResolver, ResolvedImage
from evalsvc.registry.image_policy import ImagePolicy, check_image
from evalsvc.store import quota, submissions
from evalsvc.store.datasets import current_dataset
from evalsvc.store.session import Store
from evalsvc.store.tables import Dataset

_TRIES = 5


@dataclass(frozen=True)
class AdmissionRules:
    """`limit` evaluations and `allowance` submissions per team and window.

    `isolated` says whether the executor keeps labels and network out of reach; `step` (seconds) is the one of
    `evalsvc.domain.disclosure`.
    """

    limit: int
    allowance: int
    isolated: bool
    policy: ImagePolicy
    step: float = 0.0


@dataclass(frozen=True)
class Admitted:
    """`repeated`: the same image was submitted before, and this is that submission; nothing was charged."""

    submission_id: str
    repeated: bool


class Admission:
    """The door: the only place where submissions come to be and are cancelled by their team."""

    def __init__(
        self, store: Store, resolver: ImageResolver, rules: AdmissionRules, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._resolver, self._rules, self._clock = store, resolver, rules, clock

    def submit(self, team_id: int, reference: str) -> Admitted:
        """Admit an image by its name.

        Raises `NotFound` (no such image, no data set), `ImageRefused`, `QuotaExceeded`, `Unavailable`; nothing is
        charged when it raises.
        """
        image = self._resolver.resolve(reference)
        check_image(image, self._rules.policy)
        for _ in range(_TRIES):
            try:
                return self._admit(team_id, image)
            except IntegrityError:  # another request took the same slot first: look again
                continue
        raise Unavailable("Too many submissions arrive at once; nothing was charged, please submit again.")

    def _admit(self, team_id: int, image: ResolvedImage) -> Admitted:
        now = self._clock()
        with self._store.begin() as session:
            dataset = current_dataset(session)
            refuse_unsafe(dataset, self._rules.isolated)
            earlier = submissions.earlier_answer(session, team_id, dataset.id, image.digest)
            if earlier is not None:
                return Admitted(earlier.id, repeated=True)
            quota.check_allowance(session, team_id, self._rules.allowance, now)
            submission = submissions.add_submission(session, team_id, dataset, image.reference, image.digest, now)
            quota.reserve_slot(session, team_id, submission.id, self._rules.limit, now)
            return Admitted(submission.id, repeated=False)

    def cancel(self, team_id: int, submission_id: str) -> None:
        """Cancel: at once and free before the private images are touched, else charged and at the next step.

        Once a private run has begun, the answer is the same whether or not it has ended meanwhile: what her team
        may not see yet, a cancel does not tell either.  Raises `Conflict` when the end is there to be seen.
        """
        now = self._clock()
        with self._store.begin() as session:
            submission = submissions.submission_of(session, submission_id, team_id)
            history = submissions.histories(session, [submission_id])[submission_id]
            shown = visible_history(history, now, self._rules.step)[-1].state
            if shown.ended or shown is State.SCORING:
                raise Conflict(f"Submission {submission_id} is {shown}: it can no longer be cancelled.")
            if shown in FREE_TO_CANCEL and submission.state in FREE_TO_CANCEL:
                submissions.cancel(session, submission, now)
            else:
                submission.cancel_at = submission.cancel_at or shown_at(now, self._rules.step)


def refuse_unsafe(dataset: Dataset, isolated: bool) -> None:
    """Fail closed: without isolation, nothing but the synthetic stand-in is ever run on."""
    if not isolated and not dataset.synthetic:
        raise Unavailable(
            f"The data set {dataset.name!r} is not synthetic, and the process executor isolates nothing: it will "
            "not run here. Set EVALSVC_EXECUTOR=docker."
        )
