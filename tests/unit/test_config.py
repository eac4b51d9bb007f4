"""The settings: defaults, sources, and what is refused."""

from pathlib import Path

import pytest

from evalsvc.config import load_settings
from evalsvc.domain.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("EVALSVC_")]:
        monkeypatch.delenv(name)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "evalsvc.toml"
    file.write_text("port = 1234\nevaluations_per_day = 7\n")
    monkeypatch.setenv("EVALSVC_CONFIG", str(file))
    monkeypatch.setenv("EVALSVC_PORT", "4321")
    settings = load_settings()
    assert (settings.port, settings.evaluations_per_day) == (4321, 7)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("EVALSVC_PROT", "80", "EVALSVC_PROT is not a setting"),
        ("EVALSVC_PORT", "eighty", "'port'"),
        ("EVALSVC_PORT", "99999", "'port'"),
        ("EVALSVC_EXECUTOR", "podman", "'executor'"),
        ("EVALSVC_MEMORY", "0", "'memory'"),
        ("EVALSVC_CONFIG", "/no/such/file.toml", "not a file"),
    ],
)
def test_what_is_not_right_is_refused_by_name(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said):
        load_settings()


def test_an_unknown_key_of_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "evalsvc.toml"
    file.write_text("porrt = 1234\n")
    monkeypatch.setenv("EVALSVC_CONFIG", str(file))
    with pytest.raises(ConfigurationError, match="porrt"):
        load_settings()


@pytest.mark.parametrize("text", [True, False])
def test_a_file_that_is_not_toml_is_refused(text: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "evalsvc.toml"
    file.write_bytes(b"port == 1\n" if text else b"\xff\xfe")
    monkeypatch.setenv("EVALSVC_CONFIG", str(file))
    with pytest.raises(ConfigurationError, match="is not TOML"):
        load_settings()
