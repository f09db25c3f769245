"""All that Dagster sees of monitoring: the generated configuration, the signals, and checks of the monitoring itself.

    monitoring/configuration/prometheus, …   files that are made of the platform, the settings and the thresholds
    monitoring/signals                       what is measured now, written down once an hour
    check_monitoring                         each night: is all of that true, and is somebody told?

What watches all the time is the exporter and Prometheus. A run of Dagster costs seconds and rows, so none is launched
to measure something.
"""

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from sutazai_ops.errors import OpsError
from sutazai_ops.generated_folder import bring, differences
from sutazai_ops.monitoring import self_check
from sutazai_ops.monitoring.self_check import Finding, Row, ill, well
from sutazai_ops.orchestration import Operations, production_schedule, telling_dagster
from sutazai_ops.platform import Platform
from sutazai_ops.settings import Settings

if TYPE_CHECKING:
    from sutazai_ops.installation import Installation
    from sutazai_ops.monitoring import now
    from sutazai_ops.monitoring.prometheus import Prometheus, Rule

AREA = "monitoring"
GROUP = "monitoring_itself"
TAGS = {"ops/area": AREA}
OWNER = "team:operations"
SIGNALS = dg.AssetKey(["monitoring", "signals"])
Make = Callable[[Settings, Platform], dict[str, str]]
"""Makes what each generated file holds, by its path from the folder on; given by whoever knows of every area."""
DESCRIPTIONS = {
    "prometheus": "What is scraped, and the rules that record signals and alert on thresholds.",
    "rule-tests": "A firing and a quiet case of each threshold, for promtool test rules.",
    "alertmanager": "Who is told of what, and what silences what.",
    "exporter": "What the exporter's container has to know of the settings.",
    "dashboards": "What Grafana shows, each panel's question checked by the lint.",
}


def defs(settings: Settings, configuration: Mapping[str, str] | None, make: Make) -> dg.Definitions:
    """The assets, checks, jobs and schedules of monitoring; asks no server.

    Args:
        settings: of the installation.
        configuration: what `configured` made.
        make: makes the generated files of all areas.
    """
    parts = _versions(configuration or {})
    checks = [_check(name, description, ask) for name, (description, ask) in _checks(make).items()]
    every_check = dg.AssetSelection.checks(*(key for check in checks for key in check.check_keys))
    return dg.Definitions(
        assets=[signals, *([_configuration(parts, make)] if parts else [])],
        asset_checks=checks,
        jobs=[
            dg.define_asset_job(
                "observe_signals",
                selection=dg.AssetSelection.assets(SIGNALS).without_checks(),
                description="Writes down what the signals are, for their plots.",
                tags=TAGS,
            ),
            dg.define_asset_job(
                "check_monitoring",
                selection=every_check,
                description="Whether the monitoring can be relied on. Sends a test alert to every receiver.",
                tags=TAGS,
            ),
        ],
        schedules=[
            production_schedule("observe_signals", settings.monitoring.observe_schedule, settings, "every hour"),
            production_schedule("check_monitoring", settings.monitoring.check_schedule, settings, "every night"),
        ],
    )


def configured(settings: Settings, platform: Platform, make: Make) -> Mapping[str, str] | None:
    """Each generated file, written to where services mount it from; None where a file of thresholds is wrong.

    That must not keep the nights from their backups: whoever generates or deploys is told.
    """
    try:
        files = make(settings, platform)
        bring(settings.generated, files)
    except OpsError as error:
        logging.getLogger(__name__).warning("neither services nor configuration have a code version: %s", error)
        return None
    return files


def _versions(files: Mapping[str, str]) -> dict[str, str]:
    """A version of each part of the generated configuration."""
    parts: dict[str, str] = {}
    for name, text in sorted(files.items()):
        part = name.partition("/")[0]
        parts[part] = hashlib.sha256(f"{parts.get(part)}{name}\n{text}".encode()).hexdigest()[:12]
    return parts


def _configuration(parts: Mapping[str, str], make: Make) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="generate_configuration",
        description="Writes the generated configuration; what has not changed is not touched. A deployment does the "
        "same before it plans, and brings it to the services.",
        specs=[
            dg.AssetSpec(
                key=dg.AssetKey(["monitoring", "configuration", part]),
                group_name=GROUP,
                description=DESCRIPTIONS.get(part, f"The generated files of {part}."),
                code_version=version,
                kinds={"yaml"},
                owners=[OWNER],
                tags=TAGS,
            )
            for part, version in parts.items()
        ],
    )
    def generate(operations: Operations) -> Iterator[dg.MaterializeResult[None]]:
        with telling_dagster():
            here = operations.open()
            files = make(here.settings, here.platform)
            changed = bring(here.settings.generated, files)
        for part in parts:
            mine = [name for name in files if name.startswith(f"{part}/")]
            yield dg.MaterializeResult(
                asset_key=dg.AssetKey(["monitoring", "configuration", part]),
                metadata={
                    "files": len(mine),
                    "changed_files": sum(name in changed for name in mine),
                    "bytes": sum(len(files[name].encode()) for name in mine),
                    "folder": dg.MetadataValue.path(here.settings.generated / part),
                },
            )

    return generate


@dg.asset(
    key=SIGNALS,
    group_name=GROUP,
    description="What is measured now, held against the thresholds: how much is ok, broken and unknown.",
    kinds={"prometheus"},
    owners=[OWNER],
    tags=TAGS,
)
def signals(operations: Operations) -> dg.MaterializeResult[None]:
    """Read every signal once."""
    from sutazai_ops.monitoring.configuration import rulebook_of
    from sutazai_ops.monitoring.now import look, rows
    from sutazai_ops.monitoring.prometheus import open_prometheus

    with telling_dagster():
        here = operations.open()
        rulebook = rulebook_of(here.settings, here.platform, here.engine.name)
        found = rows(rulebook, look(open_prometheus(here)), datetime.now(UTC))
    return dg.MaterializeResult(metadata=_signal_metadata(found))


def _signal_metadata(found: "list[now.Row]") -> dict[str, int | float | dg.TableMetadataValue]:
    standings = Counter(str(row.standing) for row in found)
    # Of the signals with one value, so that a plot is of one thing for ever.
    single = {
        row.signal.name: row.value for row in found if not row.signal.labels or row.signal.labels == ("instance",)
    }
    figures = {name: value for name, value in single.items() if value is not None and math.isfinite(value)}
    metadata: dict[str, int | float | dg.TableMetadataValue] = {
        "ok": standings["ok"],
        "broken": standings["broken"],
        "unknown": standings["unknown"],
        **figures,
    }
    ill = [row for row in found if row.standing != "ok"]
    if ill:
        metadata["not_ok"] = dg.MetadataValue.table([dg.TableRecord(_record(row)) for row in ill])
    return metadata


def _record(row: "now.Row") -> dict[str, str]:
    from sutazai_ops.monitoring.wording import show

    return {
        "signal": row.signal.name,
        "of": " ".join(row.labels.values()),
        "value": row.because if row.value is None else show(row.value, row.signal.unit),
        "state": str(row.standing),
        "since": row.since.isoformat(timespec="seconds") if row.since else "",
    }


def _probed(here: "Installation") -> Finding:
    return self_check.every_service_is_probed(_prometheus(here))


def _scraped(here: "Installation") -> Finding:
    if here.engine.name == "embedded":
        return well("the embedded engine scrapes nothing: its exporter measures by itself")
    return self_check.targets_are_up(_prometheus(here))


def _loaded(make: Make, here: "Installation") -> Finding:
    return self_check.differing(_loaded_rules(here), _generated_rules(make, here))


def _loaded_rules(here: "Installation") -> "list[Rule]":
    """Where the exporter answers, without those that stand in no file."""
    from sutazai_ops.monitoring.configuration import rulebook_of
    from sutazai_ops.monitoring.exporter.prometheus_api import BESIDES
    from sutazai_ops.monitoring.thresholds import Watcher

    rulebook = rulebook_of(here.settings, here.platform, here.engine.name)
    own = {one.name for one in rulebook.thresholds.values() if one.watch is Watcher.EXPORTER}
    return [rule for rule in _prometheus(here).rules() if rule.name not in own and rule.group != BESIDES]


def _generated_rules(make: Make, here: "Installation") -> list[str]:
    from sutazai_ops.monitoring.configuration import RULES_FOLDER, rulebook_of
    from sutazai_ops.monitoring.rules import rules_file

    if here.engine.name == "embedded":
        rulebook = rulebook_of(here.settings, here.platform, here.engine.name)
        return [rules_file(rulebook, here.settings.alerts.runbooks_url)]
    files = make(here.settings, here.platform)
    return [text for name, text in files.items() if name.startswith(RULES_FOLDER)]


def _covered(here: "Installation") -> Finding:
    if here.engine.name == "embedded":
        return ill("the exporter of the embedded engine does not keep a day of probes")
    return self_check.probes_cover_the_day(_prometheus(here))


def _told(here: "Installation") -> Finding:
    from sutazai_ops.monitoring.trial_alert import Arrival, send_trial

    told = send_trial(here)
    rows: list[Row] = [{"receiver": one.receiver, "state": str(one.arrival), "because": one.because} for one in told]
    missed = [one.receiver for one in told if one.arrival is not Arrival.TOLD]
    words = f"not told: {', '.join(missed)}" if missed else f"all {len(told)} receivers were told"
    return ill(words, rows) if missed else well(words)


def _shown(here: "Installation") -> Finding:
    from sutazai_ops.monitoring.configuration import rulebook_of
    from sutazai_ops.monitoring.dashboards import check_dashboards, dashboards_for
    from sutazai_ops.monitoring.presence import exporters_of

    boards = dashboards_for(rulebook_of(here.settings, here.platform), exporters_of(here.platform))
    if here.engine.name == "embedded":
        return well("the embedded engine has no dashboards")
    checked = list(check_dashboards(boards, _prometheus(here)))
    empty: list[Row] = [
        {"dashboard": one.dashboard, "panel": one.panel, "because": one.because} for one in checked if not one.is_well
    ]
    if empty:
        return ill(f"{len(empty)} of {len(checked)} panels show nothing", empty)
    return well(f"none of {len(checked)} panels is empty that should not be")


def _current(make: Make, here: "Installation") -> Finding:
    generated = here.settings.generated
    stale = differences(generated, make(here.settings, here.platform))
    rows: list[Row] = [{"file": name} for name in stale]
    words = f"not as it would be made now: {', '.join(stale)}" if stale else "every file is as it would be made now"
    return ill(words, rows) if stale else well(words)


def _checks(make: Make) -> "Mapping[str, tuple[str, Callable[[Installation], Finding]]]":
    return {
        **CHECKS,
        "rules_are_as_generated": (
            "The rules that are loaded are those that are generated, and can be computed.",
            partial(_loaded, make),
        ),
        "configuration_is_current": (
            "The generated files are as they would be made now.",
            partial(_current, make),
        ),
    }


CHECKS: "Mapping[str, tuple[str, Callable[[Installation], Finding]]]" = {
    "every_service_is_probed": ("Each service that the exporter watches has a probe.", _probed),
    "targets_are_up": ("Everything is scraped that is meant to be.", _scraped),
    "probes_cover_the_day": ("At least 99 % of the last day was measured, of every service.", _covered),
    "every_panel_shows_something": ("Each question of each dashboard has an answer, unless it may be empty.", _shown),
    "a_test_alert_arrives": ("A test alert reaches every receiver.", _told),
}


def _check(name: str, description: str, ask: "Callable[[Installation], Finding]") -> dg.AssetChecksDefinition:
    @dg.asset_check(name=name, asset=SIGNALS, description=description)
    def check(operations: Operations) -> dg.AssetCheckResult:
        try:
            finding = ask(operations.open())
        except OpsError as error:
            # What could not be asked is not well.
            finding = ill("; ".join(part for part in (error.what, error.remedy) if part))
        metadata = {}
        if finding.rows:
            metadata["findings"] = dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in finding.rows])
        return dg.AssetCheckResult(passed=finding.is_well, description=finding.because, metadata=metadata)

    return check


def _prometheus(here: "Installation") -> "Prometheus":
    from sutazai_ops.monitoring.prometheus import open_prometheus

    return open_prometheus(here)
