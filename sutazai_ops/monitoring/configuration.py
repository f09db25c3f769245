"""What monitoring itself generates for a platform.

What is generated is what a service mounts from the generated folder: a platform without a Prometheus of this kind gets
nothing. Other areas add parts of their own, of which this one knows nothing: `sutazai_ops.generated` joins them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.monitoring.alertmanager import TEMPLATES, alertmanager_file
from sutazai_ops.monitoring.dashboards import dashboard_files
from sutazai_ops.monitoring.exporter_settings import exporter_settings
from sutazai_ops.monitoring.presence import ON_THE_EMBEDDED_ENGINE, exporters_of
from sutazai_ops.monitoring.rule_tests import rule_tests_file
from sutazai_ops.monitoring.rules import rules_file
from sutazai_ops.monitoring.scrape import prometheus_file
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.platform.mounts import sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sutazai_ops.generated_folder import Files
    from sutazai_ops.monitoring.thresholds import Rulebook
    from sutazai_ops.platform import Platform
    from sutazai_ops.settings import Settings

RULES_FILE = "rules/signals.yml"
"""From Prometheus' own folder on."""
RULES_FOLDER = "prometheus/rules/"
"""From the generated folder on: the rules on signals, and those on objectives."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of what is generated."""

    needed: str
    """The folder that a service has to mount for it to be made."""
    make: Callable[[Settings, Platform], Files]
    """Raises `BadInput` for a file of the user's own that is wrong."""


def made_of(parts: Iterable[Part], settings: Settings, platform: Platform, folder: Path) -> Files:
    """What these parts generate for a platform.

    Args:
        parts: of every area that generates something.
        settings: who is told, what is too much.
        platform: read with its mounts leading to `folder`.
        folder: where the files will lie.

    Raises:
        BadInput: for a file of the user's own that is wrong.
    """
    mounted = _mounted_below(platform, folder)
    made: Files = {}
    for part in parts:
        if part.needed in mounted:
            made |= part.make(settings, platform)
    return made


def rulebook_of(settings: Settings, platform: Platform, engine: str = "") -> Rulebook:
    """What is measured on this platform and engine, and what of it is too much.

    Raises:
        BadInput: for a file of signals or thresholds that is wrong.
    """
    exporters = ON_THE_EMBEDDED_ENGINE if engine == "embedded" else exporters_of(platform)
    return read_rulebook(settings.monitoring).on(exporters)


def _prometheus(settings: Settings, platform: Platform) -> Files:
    rules = rules_file(rulebook_of(settings, platform), settings.alerts.runbooks_url)
    return {
        "prometheus/prometheus.yml": prometheus_file(platform),
        f"prometheus/{RULES_FILE}": rules,
    }


def _rule_tests(settings: Settings, platform: Platform) -> Files:
    rules = f"../prometheus/{RULES_FILE}"
    tests = rule_tests_file(rulebook_of(settings, platform), rules, settings.alerts.runbooks_url)
    return {"rule-tests/signals.yml": tests}


def _alertmanager(settings: Settings, platform: Platform) -> Files:
    return {
        "alertmanager/alertmanager.yml": alertmanager_file(platform, settings.alerts, rulebook_of(settings, platform)),
        "alertmanager/told.tmpl": TEMPLATES,
    }


def _dashboards(settings: Settings, platform: Platform) -> Files:
    files = dashboard_files(rulebook_of(settings, platform), exporters_of(platform))
    return {f"dashboards/{name}": text for name, text in files.items()}


def _exporter(settings: Settings, platform: Platform) -> Files:  # noqa: ARG001
    return {"exporter/settings.toml": exporter_settings(settings)}


PARTS = (
    Part("prometheus", _prometheus),
    Part("prometheus", _rule_tests),
    Part("alertmanager", _alertmanager),
    Part("dashboards", _dashboards),
    Part("exporter", _exporter),
)


def _mounted_below(platform: Platform, folder: Path) -> set[str]:
    """The folders below the generated one that services mount."""
    return {
        source.path.relative_to(folder).parts[0]
        for service in platform
        for source in sources(platform, service.name, ())
        if source.path.is_relative_to(folder) and source.path != folder
    }
