"""Every setting of this program, in one typed place.

A value comes from, in this order: the environment (`SUTAZAI_HOME`, nested as `SUTAZAI_BACKUP__KEEP_WITHIN_DAYS`), the
file `sutazai.toml` in the working folder (or the one `SUTAZAI_CONFIG` names), the default. A key that nobody knows is
refused by name, wherever it stands: a misspelt setting that is silently ignored is how a retention of 7 days becomes 0.
No setting holds a secret: passwords are named by the file that holds them.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping  # noqa: TC003
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails  # noqa: TC002
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from sutazai_ops.errors import BadInput
from sutazai_ops.model import Model
from sutazai_ops.platform.model import External, ServiceName
from sutazai_ops.words import nearest

PREFIX = "SUTAZAI_"
CONFIG_VARIABLE = "SUTAZAI_CONFIG"
HOLD_ADDRESSES = frozenset({"external", "ledger"})
FIVE_FIELDS = "write five fields, minute hour day month weekday, such as 0 2 * * * (crontab(5))"
ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""From which a cron line is tried: whether it ever comes true does not depend on it."""
PACKAGED_PLATFORM = Path(__file__).parent / "platform"

# Read by others (CI, a test run), so they are no settings of ours and no mistakes either.
NOT_SETTINGS = frozenset(
    {
        CONFIG_VARIABLE,
        "SUTAZAI_REQUIRE_BROWSER",
        "SUTAZAI_REQUIRE_DEBIAN_SERVERS",
        "SUTAZAI_REQUIRE_DOCKER",
        "SUTAZAI_REQUIRE_PROMETHEUS",
    }
)


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        msg = f"{name!r} is not a time zone of the IANA database, such as Europe/Berlin"
        raise ValueError(msg) from None
    return name


def _cron(text: str) -> str:
    try:
        CronSim(text, ANY_TIME)
    except CronSimError as error:
        msg = f"{str(error).lower()}: {FIVE_FIELDS}"
        raise ValueError(msg) from None
    if "W" in text.split()[2].upper():
        msg = f"Dagster knows no nearest weekdays: {FIVE_FIELDS}"
        raise ValueError(msg)
    return text


def _once_a_day(text: str) -> str:
    if not all(field.isdigit() for field in text.split()[:2]):
        msg = "a deadline comes at most once a day: write one minute and one hour, such as 0 5 * * *"
        raise ValueError(msg)
    return text


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


AnyPath = Annotated[Path, AfterValidator(_absolute)]
Cron = Annotated[str, AfterValidator(_cron)]
Deadline = Annotated[Cron, AfterValidator(_once_a_day)]


def _database_url(url: str) -> str:
    parts = urlsplit(url)
    if not parts.scheme:
        msg = "write it as postgresql+psycopg://USER@HOST:PORT/DATABASE or sqlite:////PATH"
        raise ValueError(msg)
    if parts.password is not None or "password" in parse_qs(parts.query):
        msg = "a URL holds no password: put that into a file of mode 0600 and name it as ledger_password_file"
        raise ValueError(msg)
    return url


class BackupSettings(Model):
    """How backups are taken, proved and kept."""

    store: AnyPath | None = None
    """The folder of the backup sets; `backups` in the home folder if left out."""
    services: tuple[ServiceName, ...] | None = None
    """Which services a night backs up; all that have a `backup:` if left out."""
    schedule: Cron = "0 2 * * *"
    """When the night runs, as cron, in `timezone`."""
    deadline: Deadline = "0 5 * * *"
    """When the night has to be done, as cron, at most once a day; later than this an asset is shown as stale."""
    keep_within_days: int = Field(default=7, ge=1)
    """A set is kept for this many days, counted back from the newest verified set and not from today."""
    keep_verified: int = Field(default=3, ge=1)
    """This many verified sets stay, whatever their age."""
    keep_daily: int = Field(default=0, ge=0)
    """The newest verified set of each of the last so many days that have one is kept, too."""
    keep_weekly: int = Field(default=0, ge=0)
    """The same for weeks."""
    keep_monthly: int = Field(default=0, ge=0)
    """The same for months."""
    shrink_limit: float = Field(default=0.5, ge=0, lt=1)
    """Nothing is pruned on a night whose set is smaller than this share of the one before: it may be empty."""
    restore_every: int = Field(default=1, ge=1)
    """Restore one set of so many; the others are only read through, and are called `read`, not `verified`."""
    lock_timeout_seconds: int = Field(default=60, ge=1)
    """How long a dump waits for a table that somebody has locked."""
    transfer_timeout_seconds: int = Field(default=3600, ge=1)
    """How long the transfer of a Redis snapshot may take."""
    compression_level: int = Field(default=2, ge=1, le=19)
    """zstd's level; 2 is tuned for dumps. With 2 workers it took a third of gzip's time or less, and up to a fifth less
    room."""
    compression_threads: int = Field(default=2, ge=1, le=64)
    """zstd's workers."""
    restore_jobs: int = Field(default=2, ge=1, le=64)
    """How many tables or indexes pg_restore builds at once."""


class ImageSettings(Model):
    """Where images come from instead of where the platform's files say."""

    mirror: Annotated[str, Field(pattern=r"^[^\s/]+(/[^\s/]+)*$")] | None = None
    """Put before the name of every image in place of its registry, such as `registry.example:5000/mirror`."""
    replace: Mapping[str, str] = Field(default_factory=dict)
    """Whole references, by the name of a service or by the reference in a file; before the mirror."""
    lock: AnyPath | None = None
    """The file of digests; `images.lock.yaml` in the platform's folder if left out."""


class DeploySettings(Model):
    """How a release is rolled out."""

    settle_seconds: float = Field(default=5, ge=0)
    """How long a service has to run without a restart before it counts as healthy."""
    health_timeout_seconds: int = Field(default=300, ge=1)
    """How long a service may take to become healthy, even where its own health check would wait longer."""
    probe_timeout_seconds: float = Field(default=60, ge=0)
    """How long a service that is healthy by its own account may take to answer its probes as it should."""
    allow_overcommit: bool = False
    """Whether the limits of all services may add up to more than the host has."""
    lock_wait_seconds: float = Field(default=0, ge=0)
    """How long a deployment waits for another one to end."""
    drift_schedule: Cron = "0 * * * *"
    """When what runs is compared with what was meant, as cron, in `timezone`."""
    strict: bool | None = None
    """Whether whatever the lint finds is refused, and not only what would fail; in production alone if left out."""


class MonitoringSettings(Model):
    """What is measured, how often, and what is too much."""

    signals: AnyPath | None = None
    """A file of signals over the packaged ones, by name; see docs/signals.md."""
    thresholds: AnyPath | None = None
    """A file of thresholds over the packaged ones, by name; see docs/signals.md."""
    windows: AnyPath | None = None
    """A file of maintenance windows that come again every week; see docs/monitoring.md."""
    interval_seconds: float = Field(default=30, ge=1, le=300)
    """How often everything is measured."""
    inference_every_seconds: float = Field(default=300, ge=10)
    """How often a loaded model is asked a small question."""
    port: int = Field(default=9177, ge=1, le=65535)
    """Where the exporter listens."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much the exporter logs: with `info` whatever begins, ends or changes, and never a line a round."""
    retention_days: int = Field(default=40, ge=1)
    """How long Prometheus keeps what it has scraped: a month, and what is needed to look back at it."""
    retention_gigabytes: int = Field(default=8, ge=1)
    """The most that it keeps, whichever is reached first."""
    observe_schedule: Cron = "0 * * * *"
    """When Dagster writes down what the signals are, as cron, in `timezone`."""
    check_schedule: Cron = "0 6 * * *"
    """When the monitoring itself is checked, with a test alert to every receiver, as cron, in `timezone`."""


class Receiver(Model):
    """Who is told of alerts, and how."""

    kind: Literal["webhook", "slack", "mail"]
    """`webhook`: a POST of Alertmanager's JSON. `slack`: a chat that takes Slack's incoming webhooks. `mail`: SMTP."""
    severities: tuple[Literal["page", "ticket"], ...] = ("page", "ticket")
    """Which alerts: `page` wakes somebody, `ticket` can wait for the morning; none for one that `then` alone names."""
    url_file: AnyPath | None = None
    """For `webhook` and `slack`: the file that holds the address, which is a secret."""
    to: str | None = None
    """For `mail`: who gets it."""
    sender: str | None = None
    """For `mail`: whom it comes from."""
    smarthost: str | None = None
    """For `mail`: the server that takes it, as HOST:PORT."""
    user: str | None = None
    """For `mail`: the account at that server."""
    password_file: AnyPath | None = None
    """For `mail`: the file that holds its password."""
    tls: bool = True
    """For `mail`: whether the server has to speak TLS."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        needed = ("to", "sender", "smarthost") if self.kind == "mail" else ("url_file",)
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            msg = f"a receiver of the kind {self.kind} needs {' and '.join(missing)}"
            raise ValueError(msg)
        return self


class AlertSettings(Model):
    """Who is told when a threshold is broken."""

    receivers: Mapping[ServiceName, Receiver] = Field(default_factory=dict)
    """By a name of your choice, of letters, digits and . _ -."""
    repeat_hours: float = Field(default=4, gt=0)
    """After how long an alert that nobody has mended is told again."""
    then: tuple[str, ...] = ()
    """Receivers that are told besides, one further with each reminder, of an incident that nobody takes over."""
    watchdog_url_file: AnyPath | None = None
    """A file that holds an address outside, called every minute: when the calls stop, the monitoring is dead."""
    runbooks_url: str = "https://github.com/sutazai/sutazai-ops/blob/main/docs/runbooks"
    """Where the pages of docs/runbooks can be read."""

    @model_validator(mode="after")
    def _knows_whom_it_names(self) -> Self:
        unknown = next((name for name in self.then if name not in self.receivers), None)
        if unknown is not None:
            msg = f"`then` names {unknown!r}, and there is no receiver of that name"
            raise ValueError(msg)
        return self


class ObjectiveSettings(Model):
    """What is promised, and what follows from how it is kept."""

    objectives: AnyPath | None = None
    """A file of objectives over the packaged ones, by name; see docs/slo/write-an-objective.md."""
    gate: Literal["enforce", "warn", "off"] = "enforce"
    """Whether a spent budget stops deployments, is only told of, or is not looked at; see docs/slo/the-gate.md."""
    facts_schedule: Cron = "20 * * * *"
    """When the facts of the days that can still change are computed, as cron, in `timezone`."""
    weekly_schedule: Cron = "30 6 * * 1"
    """When the report of the last week is made, as cron, in `timezone`."""
    monthly_schedule: Cron = "0 6 1 * *"
    """When the report of the last month is made, as cron, in `timezone`."""


class RemediationSettings(Model):
    """What repairs itself, and how careful it is."""

    playbooks: AnyPath | None = None
    """A file of playbooks over the packaged ones, by name; see docs/remediation/write-a-playbook.md."""
    may_disrupt: tuple[ServiceName, ...] = ()
    """Services that hold state and may be restarted without anybody being asked, where a verified backup is fresh."""
    tally_schedule: Cron = "50 6 * * *"
    """When the incidents of the last thirty days are counted, as cron, in `timezone`."""


class ModelSettings(Model):
    """Which language models there are, and when they are looked after."""

    manifest: AnyPath | None = None
    """A file of models over the platform's own `models.yaml`, by name; see docs/models.md."""
    lock: AnyPath | None = None
    """The file of their digests; `models.lock.yaml` in the home folder if left out."""
    address: Annotated[str, Field(pattern=r"^https?://[^\s/@]+(/[^\s]*)?$")] | None = None
    """Where whatever speaks Ollama's interface answers, such as `http://127.0.0.1:11434`; where the platform's own
    service does if left out."""
    schedule: Cron = "15 4 * * *"
    """When models are pulled that are missing, and warmed that should be warm, as cron, in `timezone`."""


class StatusPageSettings(Model):
    """What the platform's own users read about it."""

    title: str = Field(default="Status", min_length=1)
    """What the page is called: the name under which its readers know the platform."""
    address: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/[^\s]*)?/$")] | None = None
    """Where they find it, ending in a slash; the feed names it."""
    stale_after_seconds: int = Field(default=300, ge=60)
    """How old the page may be and still speak of now."""
    schedule: Cron = "35 * * * *"
    """When its last ninety days are gathered anew out of the facts, as cron, in `timezone`."""
    folder: AnyPath | None = None
    """Where its files are written, and served from; `status-page/public` in the home folder if left out."""


class CapacitySettings(Model):
    """What services use, what they should be allowed, and what it costs."""

    prices: AnyPath | None = None
    """A file of prices; without one nothing is known of cost."""
    kpis: AnyPath | None = None
    """A file of success metrics that is laid over the packaged ones."""
    agent_memory_megabytes: int = Field(default=256, ge=1)
    """The memory limit for agents that the monthly report judges by what they used: the plan asks for 256."""
    autoscaling: Literal["off", "observe", "act"] = "off"
    """Whether containers follow their queues by rules: `observe` only writes down what would be done, `act` does it."""
    autoscaling_rules: AnyPath | None = None
    """A file of rules that is laid over the packaged ones; see docs/capacity/autoscaling.md."""
    facts_schedule: Cron = "40 * * * *"
    """When the daily facts that can still change are computed, as cron, in `timezone`."""
    monthly_schedule: Cron = "30 6 1 * *"
    """When the report on capacity and cost of the last month is made, likewise."""


class BaselineSettings(Model):
    """How the platform answers a known load."""

    requests: AnyPath | None = None
    """A file of requests over the platform's own `baseline.yaml`, by name; see docs/baseline.md."""


class Settings(BaseSettings):
    """What an operator can set. See `docs/settings.md`, which is made from these lines."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        # As in Compose files, a variable that is set to nothing is not set: an empty path would be the working folder.
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    environment: Literal["development", "staging", "production"] = "development"
    """Schedules run by themselves in production only."""
    home: AnyPath = Field(default=Path(".sutazai"), validate_default=True)
    """Where everything that this program writes is kept."""
    platform: AnyPath = PACKAGED_PLATFORM
    """The folder of Compose files that say what should run, one file a phase."""
    engine: Literal["auto", "embedded", "compose"] = "auto"
    """Where the platform runs: processes of this machine, or containers of its Docker engine. `auto` is the second
    where an engine answers and this home holds no embedded server's data."""
    timezone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """The time zone of every schedule and of the days that retention counts."""
    ledger: Annotated[str, AfterValidator(_database_url)] | None = None
    """The ledger's database as an SQLAlchemy URL; a SQLite file in the home folder if left out."""
    ledger_password_file: AnyPath | None = None
    """A file that holds the password of the ledger's database, which its URL must not."""
    external: Mapping[ServiceName, External] = Field(default_factory=dict)
    """Services that somebody else runs, by name: their address and the file that holds their password."""
    backup: BackupSettings = Field(default_factory=BackupSettings)
    images: ImageSettings = Field(default_factory=ImageSettings)
    deploy: DeploySettings = Field(default_factory=DeploySettings)
    monitoring: MonitoringSettings = Field(default_factory=MonitoringSettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)
    slo: ObjectiveSettings = Field(default_factory=ObjectiveSettings)
    remediation: RemediationSettings = Field(default_factory=RemediationSettings)
    models: ModelSettings = Field(default_factory=ModelSettings)
    status_page: StatusPageSettings = Field(default_factory=StatusPageSettings)
    capacity: CapacitySettings = Field(default_factory=CapacitySettings)
    baseline: BaselineSettings = Field(default_factory=BaselineSettings)

    @property
    def backup_store(self) -> Path:
        """The folder of the backup sets."""
        return self.backup.store or self.home / "backups"

    @property
    def releases(self) -> Path:
        """The folder of releases, and of the files that they mount."""
        return self.home / "releases"

    @property
    def images_lock(self) -> Path:
        """The file of image digests that is read: the packaged platform's may be overruled from the home folder."""
        if self.images.lock is not None:
            return self.images.lock
        own = self.home / "images.lock.yaml"
        if self.platform == PACKAGED_PLATFORM and own.exists():
            return own
        return self.platform / "images.lock.yaml"

    @property
    def models_lock(self) -> Path:
        """The file of the models' digests."""
        return self.models.lock or self.home / "models.lock.yaml"

    @property
    def secrets(self) -> Path:
        """The folder of generated passwords, mode 0700."""
        return self.home / "secrets"

    @property
    def generated(self) -> Path:
        """The configuration that is generated for the services of the platform, such as Prometheus' rules."""
        return self.home / "generated"

    @property
    def reports(self) -> Path:
        """The folder of reports."""
        return self.home / "reports"

    @property
    def status_page_folder(self) -> Path:
        """Where the files of the status page are written, and served from."""
        return self.status_page.folder or self.home / "status-page" / "public"

    @property
    def status_page_basis(self) -> Path:
        """What the status page is made of besides the state of now."""
        return self.home / "status-page" / "basis.json"

    @property
    def runs_by_itself(self) -> bool:
        """Whether schedules are meant to run."""
        return self.environment == "production"

    @property
    def is_strict(self) -> bool:
        """Whether a deployment refuses whatever the lint finds."""
        return self.environment == "production" if self.deploy.strict is None else self.deploy.strict

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
    file = Path(os.environ.get(CONFIG_VARIABLE) or "sutazai.toml")
    from_file = _read_file(file)
    _refuse_unknown_variables()
    from_environment = _read_environment()
    origins = {key: str(file) for key, _ in _leaves(from_file)}
    origins |= {key: _variable_of(key) for key, _ in _leaves(from_environment)}
    try:
        settings = Settings(**_merge(from_file, from_environment))
    except ValidationError as error:
        raise _refusal(_most_telling(error.errors()), origins, str(file)) from None
    return Loaded(settings=settings, origins=origins)


def as_environment(settings: Settings) -> dict[str, str]:
    """The variables from which `load` reads these very settings, wherever it is called, and no file beside them."""
    values = {name: value for name, value in settings.model_dump(mode="json").items() if value is not None}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return {CONFIG_VARIABLE: os.devnull, **{PREFIX + name.upper(): text for name, text in texts.items()}}


def _read_environment() -> dict[str, Any]:
    try:
        return EnvSettingsSource(Settings)()
    except SettingsError as error:
        # Names the field and not its value, which may be what nobody should see.
        field = re.search(r'field "(\w+)"', str(error))
        key = field[1] if field else ""
        raise BadInput(f"{key} is not JSON", where=_variable_of(key), remedy="see docs/settings.md") from None


def _variable_of(key: str) -> str:
    """The variable that sets `key`: the one of its own, or the one that holds the level above it as JSON."""
    set_variables = {name.upper(): name for name in os.environ}
    parts = key.upper().split(".")
    names = [PREFIX + "__".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((set_variables[name] for name in names if name in set_variables), names[0])


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get(CONFIG_VARIABLE):
            raise BadInput(
                f"the configuration file {file} does not exist", remedy=f"correct or unset {CONFIG_VARIABLE}"
            ) from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadInput(f"cannot read {file}: {error}", remedy="correct the file; docs/settings.md shows one") from None


def _refuse_unknown_variables() -> None:
    for variable in sorted(os.environ):
        # Settings are found under either case, so mistakes are looked for under either.
        name = variable.upper()
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        key, _, below = name.removeprefix(PREFIX).lower().partition("__")
        if key not in Settings.model_fields or (below and not _has_keys_below(key)):
            known = [PREFIX + key.replace(".", "__").upper() for key in _known_keys(Settings)]
            remedy = nearest(name, known) or "sutazai-ops config show lists them all"
            raise BadInput(f"{variable} is not a setting", remedy=remedy)


def _has_keys_below(key: str) -> bool:
    return key == "external" or any(known.startswith(f"{key}.") for known in _known_keys(Settings))


def _most_telling(errors: list[ErrorDetails]) -> ErrorDetails:
    """A key that nobody knows, before the required one that is missing because it was misspelt."""
    return next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])


def _origin_of(key: str, origins: Mapping[str, str], file: str) -> str:
    """Where `key` was set, or else what is set below it, above it or beside it, as where a required one is missing."""
    beside = f"{key.rpartition('.')[0]}."
    near = (k for k in origins if k.startswith((f"{key}.", beside)) or key.startswith(f"{k}."))
    return origins.get(key) or next((origins[k] for k in near), file)


def _refusal(error: ErrorDetails, origins: Mapping[str, str], file: str) -> BadInput:
    parts = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(parts)
    origin = _origin_of(key, origins, file)
    if error["type"] == "extra_forbidden":
        remedy = nearest(key, _known_keys_beside(parts)) or "sutazai-ops config show lists them all"
        return BadInput(f"{key} is not a setting", where=origin, remedy=remedy)
    reason = error["msg"].removeprefix("Value error, ")
    # An address that is refused may hold the very password that it is refused for.
    value = "" if parts[0] in HOLD_ADDRESSES else f" set to {error['input']!r}"
    return BadInput(
        f"{key} is{value or ' wrong'}: {reason[0].lower()}{reason[1:]}", where=origin, remedy="see docs/settings.md"
    )


def _known_keys_beside(parts: list[str]) -> list[str]:
    if parts[0] == "external":
        return [".".join([*parts[:-1], name]) for name in External.model_fields]
    return list(_known_keys(Settings))


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
