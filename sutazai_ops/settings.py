"""Every setting of this program, in one typed place.

A value comes from, in this order: the environment (`SUTAZAI_HOME`, nested as `SUTAZAI_BACKUP__KEEP_WITHIN_DAYS`), the
file `sutazai.toml` in the working folder (or the one `SUTAZAI_CONFIG` names), the default. A key that nobody knows is
refused by name, wherever it stands: a misspelt setting that is silently ignored is how a retention of 7 days becomes 0.
No setting holds a secret: passwords are named by the file that holds them.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping  # noqa: TC003
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.platform.model import External, ServiceName
from sutazai_ops.words import nearest

PREFIX = "SUTAZAI_"
CONFIG_VARIABLE = "SUTAZAI_CONFIG"
PACKAGED_PLATFORM = Path(__file__).parent / "platform"

# Read by others (CI, a test run), so they are no settings of ours and no mistakes either.
NOT_SETTINGS = frozenset({CONFIG_VARIABLE, "SUTAZAI_REQUIRE_DOCKER", "SUTAZAI_REQUIRE_DEBIAN_SERVERS"})


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        msg = f"{name!r} is not a time zone of the IANA database, such as Europe/Berlin"
        raise ValueError(msg) from None
    return name


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


AnyPath = Annotated[Path, AfterValidator(_absolute)]


class BackupSettings(Model):
    """How backups are taken, proved and kept."""

    store: AnyPath | None = None
    """The folder of the backup sets; `backups` in the home folder if left out."""
    services: tuple[ServiceName, ...] | None = None
    """Which services a night backs up; all that have a `backup:` if left out."""
    schedule: str = "0 2 * * *"
    """When the night runs, as cron, in `timezone`."""
    deadline: str = "0 5 * * *"
    """When the night has to be done, as cron; later than this an asset is shown as stale."""
    keep_within_days: int = Field(default=7, ge=1)
    """A set is kept for this many days, counted back from the newest verified set and not from today."""
    keep_verified: int = Field(default=3, ge=1)
    """This many verified sets stay, whatever their age."""
    keep_daily: int = Field(default=0, ge=0)
    keep_weekly: int = Field(default=0, ge=0)
    keep_monthly: int = Field(default=0, ge=0)
    """The newest verified set of so many further days, weeks and months is kept, too."""
    shrink_limit: float = Field(default=0.5, ge=0, lt=1)
    """Nothing is pruned on a night whose set is smaller than this share of the one before: it may be empty."""
    restore_every: int = Field(default=1, ge=1)
    """Restore one set of so many; the others are only read through, and are called `read`, not `verified`."""
    lock_timeout_seconds: int = Field(default=60, ge=1)
    """How long a dump waits for a table that somebody has locked."""
    transfer_timeout_seconds: int = Field(default=3600, ge=1)
    """How long the transfer of a Redis snapshot may take."""
    compression_level: int = Field(default=3, ge=1, le=19)
    compression_threads: int = Field(default=2, ge=1, le=64)
    """zstd's level and workers; 3 with 2 workers was four times as fast as gzip and 13 % smaller."""
    restore_jobs: int = Field(default=2, ge=1, le=64)
    """How many tables or indexes pg_restore builds at once."""


class Settings(BaseSettings):
    """What an operator can set. See `docs/settings.md`, which is made from these lines."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    environment: Literal["development", "staging", "production"] = "development"
    """Schedules run by themselves in production only."""
    home: AnyPath = Field(default=Path(".sutazai"), validate_default=True)
    """Where everything that this program writes is kept."""
    platform: AnyPath = PACKAGED_PLATFORM
    """The folder of Compose files that say what should run, one file a phase."""
    engine: Literal["embedded"] = "embedded"
    """Where the platform runs."""
    timezone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """The time zone of every schedule and of the days that retention counts."""
    ledger: str | None = None
    """The ledger's database as an SQLAlchemy URL; a SQLite file in the home folder if left out."""
    ledger_password_file: AnyPath | None = None
    """A file that holds the password of the ledger's database, which its URL must not."""
    external: Mapping[ServiceName, External] = Field(default_factory=dict)
    """Services that somebody else runs, by name: their address and the file that holds their password."""
    backup: BackupSettings = Field(default_factory=BackupSettings)

    @property
    def backup_store(self) -> Path:
        """The folder of the backup sets."""
        return self.backup.store or self.home / "backups"

    @property
    def secrets(self) -> Path:
        """The folder of generated passwords, mode 0700."""
        return self.home / "secrets"

    @property
    def logs(self) -> Path:
        """The folder of log files."""
        return self.home / "logs"

    @property
    def dagster_home(self) -> Path:
        """The folder of the Dagster instance."""
        return self.home / "dagster"

    @property
    def scratch(self) -> Path:
        """Where throw-away servers and spooled files live while they are needed."""
        return self.home / "scratch"

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[Any, ...]:  # noqa: ANN401
        """Take values from `load` alone, which reads the same sources but remembers where each value came from."""
        return (sources["init_settings"],)


class Loaded(Model):
    """Settings, and where each value that is not a default came from."""

    settings: Settings
    origins: Mapping[str, str]
    """From dotted key (`backup.keep_within_days`) to the file or the variable that set it."""

    def rows(self) -> Iterator[tuple[str, Any, str]]:
        """Every setting as dotted key, value and origin, in the order of this module."""
        for key, value in _leaves(self.settings.model_dump(mode="json")):
            yield key, value, self.origins.get(key, "default")


def load() -> Loaded:
    """Read the environment and the configuration file.

    Raises:
        BadInput: for a file that cannot be read, a key that is not known, or a value that is out of range; names the
            key and the file or variable.
    """
    file = Path(os.environ.get(CONFIG_VARIABLE, "sutazai.toml"))
    from_file = _read_file(file)
    _refuse_unknown_variables()
    from_environment = EnvSettingsSource(Settings)()
    origins = {key: str(file) for key, _ in _leaves(from_file)}
    origins |= {key: PREFIX + key.replace(".", "__").upper() for key, _ in _leaves(from_environment)}
    try:
        settings = Settings(**_merge(from_file, from_environment))
    except ValidationError as error:
        raise _refusal(error, origins, str(file)) from None
    return Loaded(settings=settings, origins=origins)


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if CONFIG_VARIABLE in os.environ:
            raise BadInput(
                f"the configuration file {file} does not exist", remedy=f"correct or unset {CONFIG_VARIABLE}"
            ) from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadInput(f"cannot read {file}: {error}", remedy="correct the file; docs/settings.md shows one") from None


def _refuse_unknown_variables() -> None:
    for variable in sorted(os.environ):
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
            continue
        key = variable.removeprefix(PREFIX).lower().split("__")[0]
        if key not in Settings.model_fields:
            known = [PREFIX + name.upper() for name in Settings.model_fields]
            raise BadInput(
                f"{variable} is not a setting", remedy=nearest(variable, known) or f"known are: {', '.join(known)}"
            )


def _refusal(error: ValidationError, origins: Mapping[str, str], file: str) -> BadInput:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    origin = origins.get(key) or next((o for k, o in origins.items() if k.startswith(key) or key.startswith(k)), file)
    if first["type"] == "extra_forbidden":
        known = list(_known_keys(Settings))
        return BadInput(
            f"{key} is not a setting",
            where=origin,
            remedy=nearest(key, known) or "sutazai-ops config show lists them all",
        )
    reason = first["msg"].removeprefix("Value error, ")
    reason = reason[0].lower() + reason[1:]
    return BadInput(f"{key} is set to {first['input']!r}: {reason}", where=origin, remedy="see docs/settings.md")


def _known_keys(model: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield before + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known_keys(field.annotation, f"{before}{name}.")


def _leaves(tree: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield before + key, value


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
