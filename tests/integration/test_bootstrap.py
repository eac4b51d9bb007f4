"""What the composition root refuses before anything runs."""

import threading
from pathlib import Path

import pytest

from evalsvc.bootstrap import make_store, open_store, running_worker
from evalsvc.config import Settings
from evalsvc.domain.errors import ConfigurationError, Unavailable
from evalsvc.store import migrate


def test_the_data_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    _, data = make_store(Settings(data=tmp_path / "a" / "b"))
    assert data.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701])
def test_a_data_folder_that_others_can_look_into_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        make_store(Settings(data=folder))


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be used as the data folder"):
        make_store(Settings(data=tmp_path / "file"))


@pytest.mark.parametrize("url", ["garbage", "nosuchdatabase://x"])
def test_a_database_url_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="EVALSVC_DATABASE_URL"):
        make_store(Settings(data=tmp_path / "data", database_url=url))


def test_a_damaged_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "evalsvc.db").write_bytes(b"damaged" * 100)
    with pytest.raises(Unavailable, match="cannot be used"):
        open_store(Settings(data=tmp_path / "data"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gpus": 1, "concurrency": 2}, "EVALSVC_CONCURRENCY"),
        ({"gpus": 0, "memory": 1 << 50}, "EVALSVC_MEMORY"),
        ({"gpus": 0, "memory": 1 << 20, "concurrency": 1 << 30}, "EVALSVC_MEMORY"),
    ],
)
@pytest.mark.docker
def test_a_worker_ends_on_a_machine_that_is_too_small(tmp_path: Path, settings: dict[str, int], said: str) -> None:
    found = Settings(data=tmp_path / "data", **settings)
    store, _ = make_store(found)
    migrate.upgrade(store.engine)
    store.close()
    with running_worker(found) as run, pytest.raises(ConfigurationError, match=said):
        run(threading.Event())
