"""The quota under concurrency and across its windows."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evalsvc.admission import Admission, AdmissionRules, Admitted
from evalsvc.domain.errors import QuotaExceeded
from evalsvc.domain.image import ResolvedImage
from evalsvc.domain.submission import Cause, State
from evalsvc.registry.image_policy import ImagePolicy
from evalsvc.store import quota, submissions
from evalsvc.store.session import Store, create_store_engine
from evalsvc.store.tables import Dataset, Team

NOW = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
TOMORROW = datetime(2026, 3, 2, tzinfo=UTC)


class Images:
    """Every name is an image of its own."""

    def resolve(self, reference: str) -> ResolvedImage:
        return ResolvedImage(reference, f"sha256:{reference}", "linux/amd64", 1, ("run",), (), ())


def admission(store: Store, limit: int = 3, now: datetime = NOW, allowance: int = 50) -> Admission:
    rules = AdmissionRules(limit, allowance, isolated=True, policy=ImagePolicy())
    return Admission(store, Images(), rules, lambda: now)


def used(store: Store, team: Team, now: datetime = NOW) -> int:
    with store.read() as session:
        return len(quota.used_slots(session, team.id, now))


def test_the_limit_holds_and_says_the_exact_instant_of_the_next_slot(
    store: Store, team: Team, dataset: Dataset
) -> None:
    door = admission(store)
    for name in "abc":
        door.submit(team.id, name)
    with pytest.raises(QuotaExceeded, match="2026-03-02 00:00:00 UTC") as refused:
        door.submit(team.id, "d")
    assert refused.value.next_slot == TOMORROW
    assert not admission(store, now=TOMORROW).submit(team.id, "d").repeated


def test_what_costs_nothing_has_an_allowance_of_its_own(store: Store, team: Team, dataset: Dataset) -> None:
    door = admission(store, allowance=2)
    for name in "ab":
        door.cancel(team.id, door.submit(team.id, name).submission_id)
    assert used(store, team) == 0
    with pytest.raises(QuotaExceeded, match="2 submissions today"):
        door.submit(team.id, "c")
    assert admission(store, allowance=2, now=TOMORROW).submit(team.id, "c")


def test_a_refused_request_leaves_nothing_behind(store: Store, team: Team, dataset: Dataset) -> None:
    door = admission(store, limit=1)
    door.submit(team.id, "a")
    with pytest.raises(QuotaExceeded):
        door.submit(team.id, "b")
    with store.read() as session:
        assert [row.image for row in submissions.submissions_of(session, team.id)] == ["a"]


def test_the_same_image_again_is_the_earlier_answer_and_free(store: Store, team: Team, dataset: Dataset) -> None:
    door = admission(store)
    first = door.submit(team.id, "a")
    assert door.submit(team.id, "a") == Admitted(first.submission_id, repeated=True)
    assert used(store, team) == 1


@pytest.mark.parametrize("cause", list(Cause))
def test_a_failure_keeps_or_frees_its_slot_by_its_cause(
    store: Store, team: Team, dataset: Dataset, cause: Cause
) -> None:
    door = admission(store)
    admitted = door.submit(team.id, "a")
    with store.begin() as session:
        row = submissions.submission_of(session, admitted.submission_id)
        submissions.enter(session, row, State.FAILED, NOW, cause)
    assert used(store, team) == int(cause.charged)
    assert door.submit(team.id, "a").repeated is cause.charged  # what was paid for is answered, not run again


@pytest.mark.parametrize(("touched", "kept"), [(False, 0), (True, 1)])
def test_a_cancel_is_free_until_the_private_images_are_touched(
    store: Store, team: Team, dataset: Dataset, touched: bool, kept: int
) -> None:
    door = admission(store)
    admitted = door.submit(team.id, "a")
    if touched:
        with store.begin() as session:
            row = submissions.submission_of(session, admitted.submission_id)
            for state in (State.TRIAL_RUNNING, State.QUEUED, State.RUNNING):
                submissions.enter(session, row, state, NOW)
    door.cancel(team.id, admitted.submission_id)
    if touched:  # it is the worker that ends it
        with store.begin() as session:
            submissions.cancel(session, submissions.submission_of(session, admitted.submission_id), NOW)
    assert used(store, team) == kept
    assert not door.submit(team.id, "a").repeated


@pytest.mark.parametrize("one_engine", [True, False], ids=["threads", "engines"])
def test_concurrent_submitters_never_overshoot(
    store: Store, team: Team, dataset: Dataset, one_engine: bool, tmp_path: Path
) -> None:
    """32 at once, limit 3: exactly 3 admitted.  Engines of their own stand for processes of their own."""
    barrier = threading.Barrier(32)
    stores = [store if one_engine else Store(create_store_engine(str(store.engine.url))) for _ in range(32)]

    def submit(number: int) -> bool:
        barrier.wait()
        try:
            admission(stores[number]).submit(team.id, f"image-{number}")
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(32) as pool:
        admitted = list(pool.map(submit, range(32)))
    for other in stores:
        other.close()
    assert sum(admitted) == 3
    assert used(store, team) == 3


def test_windows_are_days_in_utc() -> None:
    assert quota.window_of(NOW) != quota.window_of(NOW + timedelta(seconds=1))
    assert quota.next_window(NOW) == TOMORROW
    assert quota.next_window(TOMORROW) == TOMORROW + timedelta(days=1)
