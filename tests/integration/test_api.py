"""The HTTP interface over real parts, through the client that the command line uses."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from evalsvc.api.app import create_app
from evalsvc.api.limits import MAX_BODY
from evalsvc.api.services import Services
from evalsvc.api.views import ViewRules
from evalsvc.client import Client
from evalsvc.domain.errors import Conflict, EvalsvcError, NotFound, NotSignedIn, QuotaExceeded
from evalsvc.domain.submission import EXPLANATIONS, Cause, State
from evalsvc.store import teams
from evalsvc.store.blobs import Blobs
from tests.integration.service import ON_PRIVATE, PRIVATE, Service

STEP = 60.0


def application(service: Service, step: float = 0.0) -> FastAPI:
    rules = ViewRules(step=step, wall_time=3600.0, trial_wall_time=600.0, limit=service.limit, isolated=False)
    blobs = Blobs(service.data / "blobs")
    return create_app(Services(service.store, blobs, service.admission, rules, "process", service.clock))


def token_of(service: Service, name: str = "") -> str:
    with service.store.begin() as session:
        team = teams.create_team(session, name, service.clock()) if name else service.team
        return teams.issue_token(session, team, "test", service.clock())


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The application behind a real server on a free port; gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def web(service: Service) -> Iterator[httpx.Client]:
    with serving(application(service)) as url, httpx.Client(base_url=url) as client:
        yield client


@contextmanager
def signed_in(url: str, token: str) -> Iterator[Client]:
    client = Client(url, token)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def mine(service: Service, web: httpx.Client) -> Iterator[Client]:
    with signed_in(str(web.base_url), token_of(service)) as client:
        yield client


def test_from_submit_to_report(service: Service, mine: Client) -> None:
    view = mine.submit(service.model())
    assert (view.state, view.queue_position, view.repeated) == (State.TRIAL_QUEUED, 1, False)
    assert view.charged
    assert view.deadline is not None
    with pytest.raises(NotFound, match="its state is trial_queued"):
        mine.report(view.id)
    service.end(view.id)
    assert mine.submission(view.id).state is State.SCORED
    assert "saw 8 images" in mine.log(view.id).text
    assert mine.report(view.id).report["private"]["images"] == PRIVATE
    [row] = mine.leaderboard().rows
    assert (row.rank, row.team, row.submission) == (1, "lovelace", view.id)
    assert (mine.quota().used, mine.quota().left) == (1, 2)
    again = mine.submit(service.model())
    assert (again.id, again.repeated) == (view.id, True)
    assert [found.id for found in mine.submissions().submissions] == [view.id]


def test_every_view_says_that_nothing_is_isolated(service: Service, mine: Client) -> None:
    view = mine.submit(service.model())
    service.end(view.id)
    for notice in (
        view.notice,
        mine.submissions().notice,
        mine.submission(view.id).notice,
        mine.report(view.id).notice,
        mine.quota().notice,
        mine.leaderboard().notice,
        mine.service().notice,
    ):
        assert "without isolation" in notice


def test_a_private_run_shows_its_cause_alone_and_only_at_the_step(service: Service) -> None:
    with serving(application(service, STEP)) as url, signed_in(url, token_of(service)) as mine:
        view = mine.submit(service.model(ON_PRIVATE + "raise SystemExit('the words of the image')"))
        service.end(view.id)
        assert mine.submission(view.id).state is State.RUNNING
        service.clock.advance(STEP)
        ended = mine.submission(view.id)
    assert (ended.state, ended.cause, ended.reason) == (State.FAILED, Cause.CRASHED, EXPLANATIONS[Cause.CRASHED])
    assert ended.changed_at.timestamp() % STEP == 0
    assert "words" not in ended.model_dump_json()
    assert "exit" not in ended.model_dump_json()


def test_a_score_is_on_no_page_before_its_step(service: Service) -> None:
    with serving(application(service, STEP)) as url, signed_in(url, token_of(service)) as mine:
        view = mine.submit(service.model())
        service.end(view.id)
        assert mine.leaderboard().rows == []
        with pytest.raises(NotFound, match="its state is running"):
            mine.report(view.id)
        service.clock.advance(STEP)
        assert len(mine.leaderboard().rows) == 1
        assert mine.report(view.id).scored_at.timestamp() % STEP == 0


def test_a_cancel_does_not_tell_whether_a_private_run_has_ended(service: Service) -> None:
    """One that runs and one that has ended unseen get the same answer, until the step has come."""
    service.step = STEP
    with serving(application(service, STEP)) as url, signed_in(url, token_of(service)) as mine:
        ended = mine.submit(service.model(name="ended"))
        service.end(ended.id)
        runs = mine.submit(service.model(ON_PRIVATE + "__import__('time').sleep(600)", "runs"))
        service.work_until_state(runs.id, State.RUNNING)
        answers = [mine.cancel(view.id) for view in (ended, runs)]
        assert {answer.state for answer in answers} == {State.RUNNING}
        assert answers[0].cancel_at == answers[1].cancel_at
        assert answers[0].cancel_at is not None
        service.clock.advance(STEP)
        service.end(runs.id)
        assert [mine.submission(view.id).state for view in (ended, runs)] == [State.SCORED, State.CANCELLED]
        assert all(mine.submission(view.id).charged for view in (ended, runs))
        with pytest.raises(Conflict, match="can no longer be cancelled"):
            mine.cancel(ended.id)


def test_a_rerun_that_is_not_shown_yet_can_be_cancelled(service: Service) -> None:
    service.step = STEP
    with serving(application(service, STEP)) as url, signed_in(url, token_of(service)) as mine:
        view = mine.submit(service.model(ON_PRIVATE + "__import__('time').sleep(600)"))
        worker = service.worker()
        service.work_until_state(view.id, State.RUNNING, worker=worker)
        service.work_until(lambda: any(seen.phase == "running" for seen in service.executor.observe()), worker)
        worker.tick()
        for seen in service.executor.observe():
            service.executor.delete(seen.attempt_id)
        worker.tick()
        service.clock.advance(STEP)
        worker.tick()  # lost: back to the queue, which is hidden
        assert mine.submission(view.id).state is State.RUNNING
        service.clock.advance(11)
        service.work_until_state(view.id, State.RUNNING, worker=worker)  # the rerun, hidden too
        answer = mine.cancel(view.id)
        assert answer.cancel_at is not None
        service.clock.advance(STEP)
        service.end(view.id)
        cancelled = mine.submission(view.id)
    assert (cancelled.state, cancelled.charged) == (State.CANCELLED, True)


def test_another_teams_submission_does_not_exist(service: Service, web: httpx.Client, mine: Client) -> None:
    view = mine.submit(service.model())
    with signed_in(str(web.base_url), token_of(service, "noether")) as theirs:
        for call in (theirs.submission, theirs.log, theirs.report, theirs.cancel):
            with pytest.raises(NotFound, match=f"no submission '{view.id}'"):
                call(view.id)
        assert theirs.submissions().submissions == []
    assert mine.submission(view.id).state is State.TRIAL_QUEUED


PROTECTED = [
    ("POST", "/api/v1/submissions"),
    ("GET", "/api/v1/submissions"),
    ("GET", "/api/v1/submissions/abc"),
    ("GET", "/api/v1/submissions/abc/log"),
    ("GET", "/api/v1/submissions/abc/report"),
    ("POST", "/api/v1/submissions/abc/cancel"),
    ("GET", "/api/v1/quota"),
]
OPEN = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/service"),
    ("GET", "/api/v1/leaderboard"),
    ("GET", "/openapi.json"),
]


def test_nothing_without_a_token(web: httpx.Client) -> None:
    for method, path in PROTECTED:
        for header in ("", "Bearer", "Bearer evs_wrong", "Basic dXNlcjpwYXNz", "evs_wrong"):
            headers = {"Authorization": header} if header else {}
            reply = web.request(method, path, headers=headers, json={"image": "x"})
            assert (reply.status_code, reply.json()["code"]) == (401, NotSignedIn.code), (method, path, header)


def test_every_route_is_either_open_or_protected(service: Service) -> None:
    """A route that someone adds has to be put into one of the two lists above."""
    found = {
        (method.upper(), path.replace("{submission_id}", "abc"))
        for path, item in application(service).openapi()["paths"].items()
        for method in item
    }
    assert found == set(PROTECTED + OPEN) - {("GET", "/openapi.json")}


def test_what_is_open_to_everyone(web: httpx.Client) -> None:
    for method, path in OPEN:
        assert web.request(method, path).status_code == 200, path


def test_over_quota_says_when_the_next_slot_is_free(service: Service, mine: Client) -> None:
    for number in range(service.limit):
        mine.submit(service.model(f"print({number})", f"model-{number}"))
    with pytest.raises(QuotaExceeded) as refused:
        mine.submit(service.model("print('one more')", "one-more"))
    assert refused.value.next_slot == mine.quota().next_slot
    assert mine.quota().next_slot - service.clock() < timedelta(days=1)


def test_cancel_twice(service: Service, mine: Client) -> None:
    view = mine.submit(service.model())
    cancelled = mine.cancel(view.id)
    assert (cancelled.state, cancelled.charged) == (State.CANCELLED, False)
    assert mine.quota().used == 0
    with pytest.raises(Conflict, match="can no longer be cancelled"):
        mine.cancel(view.id)


def test_a_request_that_is_not_right_is_refused_in_one_sentence(service: Service, web: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {token_of(service)}", "Content-Type": "application/json"}
    for content, said in (
        (b"", "body"),
        (b"{", "body"),
        (b"{}", "body.image"),
        (b'{"image": ""}', "body.image"),
        (b'{"image": "a", "gpus": 8}', "body.gpus"),
        (b'{"image": 7}', "body.image"),
        (b'{"image": "' + b"a" * 600 + b'"}', "body.image"),
    ):
        reply = web.post("/api/v1/submissions", content=content, headers=headers)
        assert reply.status_code == 422, content
        assert said in reply.json()["message"]


def test_an_image_that_does_not_exist(mine: Client) -> None:
    with pytest.raises(NotFound, match="no-such-folder"):
        mine.submit("no-such-folder")


def test_a_revoked_token_ends_at_once(service: Service, mine: Client) -> None:
    mine.quota()
    with service.store.begin() as session:
        teams.revoke_tokens(session, service.team, service.clock())
    with pytest.raises(NotSignedIn, match="evalsvc login"):
        mine.quota()


@pytest.mark.parametrize("announced", [True, False])
def test_nobody_can_send_much(web: httpx.Client, announced: bool) -> None:
    body = b" " * (MAX_BODY + 1)
    content = body if announced else iter([body[:1000], body[1000:]])
    reply = web.post("/api/v1/submissions", content=content)
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")


def test_a_fault_of_ours_says_nothing_of_itself(service: Service) -> None:
    with serving(application(service)) as url, signed_in(url, token_of(service)) as mine:
        service.store.close()
        for path in service.store.engine.url.database, f"{service.store.engine.url.database}-wal":
            Path(str(path)).write_bytes(b"damaged")
        with pytest.raises(EvalsvcError, match="The service failed") as failed:
            mine.quota()
    assert "sqlite" not in str(failed.value)
