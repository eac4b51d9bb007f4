"""Markers for tests that need something beside Python: one table says what each needs and how to find out.

Where the need is not met the test is skipped with the reason, unless EVALSVC_REQUIRE names the marker
(`EVALSVC_REQUIRE=docker,postgres`): then it fails.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

# Two cores run everything side by side: how long an example takes says nothing here.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


def _no_docker() -> str | None:
    from evalsvc.domain.errors import Unavailable
    from evalsvc.executors.docker_engine import Engine

    engine = Engine()
    try:
        engine.api.ping()
    except Unavailable as error:
        return str(error)
    finally:
        engine.close()
    return None


def _no_program(*names: str) -> Callable[[], str | None]:
    """A need that is met by any of the programs `names`."""
    return lambda: None if any(map(shutil.which, names)) else f"no program {' or '.join(names)}"


def _no_cluster() -> str | None:
    return None if os.environ.get("KUBECONFIG") else "KUBECONFIG names no cluster"


NEEDS: dict[str, tuple[str, Callable[[], str | None]]] = {
    "docker": ("a Docker engine", _no_docker),
    "kubernetes": ("a Kubernetes cluster", _no_cluster),
    "postgres": ("PostgreSQL's server programs", _no_program("pg_ctlcluster", "pg_ctl")),
    "registry": ("an OCI registry's program", _no_program("docker-registry", "registry")),
    "browser": ("Chromium", _no_program("chromium", "chromium-browser")),
    "gpu": ("an NVIDIA GPU", _no_program("nvidia-smi")),
}
"""Marker: what it stands for, and the reason why it is not there (None: it is)."""


def unmet(markers: Iterable[str], required: frozenset[str]) -> tuple[bool, str] | None:
    """The first need of `markers` that is not met: whether it is required, and the reason."""
    for marker in markers:
        if marker in NEEDS and (reason := _missing(marker)) is not None:
            return marker in required, f"needs {NEEDS[marker][0]}: {reason}"
    return None


@cache
def _missing(marker: str) -> str | None:
    return NEEDS[marker][1]()


def _required() -> frozenset[str]:
    return frozenset(name.strip() for name in os.environ.get("EVALSVC_REQUIRE", "").split(",") if name.strip())


def pytest_configure(config: pytest.Config) -> None:
    for marker, (need, _) in NEEDS.items():
        config.addinivalue_line("markers", f"{marker}: needs {need}")
    if unknown := _required() - NEEDS.keys():
        raise pytest.UsageError(
            f"EVALSVC_REQUIRE names {', '.join(sorted(unknown))}; known are {', '.join(NEEDS)}"
        )


def pytest_runtest_setup(item: pytest.Item) -> None:
    if (found := unmet((marker.name for marker in item.iter_markers()), _required())) is None:
        return
    required, reason = found
    if required:
        pytest.fail(f"{reason} (EVALSVC_REQUIRE)", pytrace=False)
    pytest.skip(reason)
