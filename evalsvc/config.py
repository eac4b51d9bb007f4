"""The settings, and the only reader of the environment: `EVALSVC_*`, or a TOML file named by EVALSVC_CONFIG."""

import os
import tomllib
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, PositiveFloat, PositiveInt, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from evalsvc.domain.errors import ConfigurationError
from evalsvc.executors.base import GIB, Limits

_LIMITS = Limits()


class Settings(BaseSettings):
    """Every setting, with its default.  Unknown keys are errors; sizes are in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="EVALSVC_", extra="forbid", frozen=True)

    data: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("evalsvc")))
    """Where the database, the sealed data sets and the predictions lie."""
    database_url: str = ""
    """SQLAlchemy URL; empty: SQLite in the data folder."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)

    executor: Literal["docker", "process"] = "docker"
    instance: str = ""
    """Tells two services on one engine apart; empty: made from the data folder's path."""
    pod_base_image: str = "python:3.11-slim-bookworm"
    """What the trusted stage and collect steps run on."""
    runtime: str | None = None
    """An OCI runtime for submissions, such as runsc."""

    gpus: int = Field(default=_LIMITS.gpus, ge=0)
    cpus: PositiveFloat = _LIMITS.cpus
    memory: PositiveInt = _LIMITS.memory
    wall_time: PositiveFloat = _LIMITS.wall_time
    trial_wall_time: PositiveFloat = 600.0
    pids: PositiveInt = _LIMITS.pids
    output: PositiveInt = _LIMITS.output
    tmp: PositiveInt = _LIMITS.tmp
    shm: PositiveInt = _LIMITS.shm
    image_size: PositiveInt = 20 * GIB

    concurrency: PositiveInt = 1
    """How many jobs run at a time."""
    tick: PositiveFloat = 2.0
    """The worker looks at least this often."""
    evaluations_per_day: PositiveInt = 3
    """Charged evaluations of a team per day (UTC)."""
    submissions_per_day: PositiveInt = 50
    """All submissions of a team per day (UTC), those that cost nothing included."""
    infrastructure_retries: int = Field(default=3, ge=0, le=10)
    disclosure_step: float = Field(default=60.0, ge=0.0)
    """A private run's end is shown at the next multiple of this, so that its length tells nothing."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, which wins over the file."""
        file = os.environ.get("EVALSVC_CONFIG")
        toml = (TomlConfigSettingsSource(settings_cls, toml_file=file),) if file else ()
        return init_settings, env_settings, *toml


_NOT_SETTINGS = {
    f"EVALSVC_{name}" for name in ("CONFIG", "REQUIRE", "INPUT", "OUTPUT", "URL", "TOKEN", "CREDENTIALS")
}
"""Variables of the same prefix that other parts define: the contract, the client and the tests."""


def load_settings() -> Settings:
    """Read the settings.  Raises `ConfigurationError` naming the key, also for one that does not exist."""
    _refuse_unknown_variables()
    file = os.environ.get("EVALSVC_CONFIG")
    if file and not Path(file).is_file():
        raise ConfigurationError(f"EVALSVC_CONFIG names {file}, which is not a file.")
    try:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ConfigurationError(
                f"{file}: {key!r} is not a setting (docs/operations.md lists them)."
            ) from error
        raise ConfigurationError(
            f"The setting {key!r} (EVALSVC_{key.upper()}) is not right: {first['msg']}."
        ) from error


def _refuse_unknown_variables() -> None:
    known = {f"EVALSVC_{name.upper()}" for name in Settings.model_fields} | _NOT_SETTINGS
    unknown = sorted(name for name in os.environ if name.startswith("EVALSVC_") and name not in known)
    if unknown:
        raise ConfigurationError(
            f"{unknown[0]} is not a setting of evalsvc (docs/operations.md lists them): unset or correct it."
        )
