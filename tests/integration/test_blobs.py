"""Blobs: what is stored comes back unchanged, or not at all."""

import hashlib
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalsvc.domain.errors import DatasetError, NotFound
from evalsvc.store.blobs import Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def stored(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=2000))
def test_what_is_stored_comes_back(blobs: Blobs, data: bytes) -> None:
    digest = blobs.put(data)
    assert digest == hashlib.sha256(data).hexdigest()
    assert blobs.get(digest) == data


def test_a_blob_is_one_private_file_whatever_the_umask(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put(b"Filename,Score\n")
    assert blobs.put(b"Filename,Score\n") == digest
    (path,) = stored(tmp_path)
    assert path == tmp_path / "blobs" / digest[:2] / digest
    assert [stat.S_IMODE(found.stat().st_mode) for found in (path, path.parent, path.parent.parent)] == [
        0o600,
        0o700,
        0o700,
    ]
    assert [found.name for found in path.parent.iterdir()] == [digest]


def test_a_blob_that_was_never_stored(blobs: Blobs) -> None:
    with pytest.raises(NotFound, match="restore it from a backup"):
        blobs.get("0" * 64)


@pytest.mark.parametrize("digest", ["", "..", "../" * 20 + "etc/passwd", "A" * 64, "0" * 63 + "\n"])
def test_what_is_not_a_digest_leads_nowhere(blobs: Blobs, digest: str) -> None:
    with pytest.raises(NotFound, match="is not a SHA-256"):
        blobs.get(digest)


def test_a_damaged_blob_is_refused_and_storing_it_again_repairs_it(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put(b"Filename,Score\n")
    stored(tmp_path)[0].write_bytes(b"Filename,Score\r")
    with pytest.raises(DatasetError, match="has changed since it was stored"):
        blobs.get(digest)
    assert blobs.put(b"Filename,Score\n") == digest
    assert blobs.get(digest) == b"Filename,Score\n"


def test_a_link_in_place_of_a_blob_is_not_followed(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put(b"x")
    path = stored(tmp_path)[0]
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(DatasetError, match="is a symbolic link"):
        blobs.get(digest)


def test_writers_of_the_same_bytes_do_not_disturb_each_other(blobs: Blobs, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(blobs.put, [b"the same"] * 40))
    assert len(digests) == 1
    assert blobs.get(digests.pop()) == b"the same"
    assert len(stored(tmp_path)) == 1


WRITER = """
import os, signal, sys, threading
from pathlib import Path
from evalsvc.store.blobs import Blobs
number = 0
while True:
    print(Blobs(Path(sys.argv[1])).put(b"%d" % number * 50_000), flush=True)
    if number == 0:
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    number += 1
"""


def test_a_kill_loses_nothing_that_was_acknowledged_and_leaves_no_half_blob(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    killed = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path / "blobs")], capture_output=True, text=True, check=False
    )
    acknowledged = killed.stdout.split()
    assert acknowledged
    for digest in acknowledged:
        assert hashlib.sha256(blobs.get(digest)).hexdigest() == digest
    whole = [path for path in stored(tmp_path) if path.parent.parent == tmp_path / "blobs"]
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in whole)
