"""What monitoring itself generates for a platform, and how a folder of generated files is brought to what it should be.

What is generated is what a service mounts from that folder: a platform without a Prometheus of this kind gets nothing.
All of it is made before anything is written, each file whole, and what is not made any more is removed, so that what
lies there is never of two minds. A file that has not changed is not touched. Other areas add parts of their own, of
which this one knows nothing: `sutazai_ops.generated` joins them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.disk import write_whole, writing
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
    from collections.abc import Callable, Iterable, Mapping

    from sutazai_ops.monitoring.thresholds import Rulebook
    from sutazai_ops.platform import Platform
    from sutazai_ops.settings import Settings

RULES_FILE = "rules/signals.yml"
"""From Prometheus' own folder on."""
RULES_FOLDER = "prometheus/rules/"
"""From the generated folder on: the rules on signals, and those on objectives."""
Files = dict[str, str]
"""What each file holds, by its path from the folder on."""


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
FOLDERS = ("prometheus", "rule-tests", "alertmanager", "dashboards", "exporter")
"""What may lie in the generated folder: nothing in these stays that is not made any more."""


def _mounted_below(platform: Platform, folder: Path) -> set[str]:
    """The folders below the generated one that services mount."""
    return {
        source.path.relative_to(folder).parts[0]
        for service in platform
        for source in sources(platform, service.name, ())
        if source.path.is_relative_to(folder) and source.path != folder
    }


def differences(folder: Path, made: Mapping[str, str]) -> list[str]:
    """The files that are not as they were made, and those that are there and are not made any more."""
    return sorted([name for name, text in made.items() if _read(folder / name) != text.encode()] + _left(folder, made))


def bring(folder: Path, made: Mapping[str, str]) -> list[str]:
    """Make a folder hold what was made and nothing else of it; return the files that were written or removed.

    Raises:
        OpsError: when something cannot be written.
    """
    changed = differences(folder, made)
    for name in changed:
        file = folder / name
        with writing(file):
            if name not in made:
                file.unlink(missing_ok=True)
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, made[name].encode())
            # It holds no secret, and a container reads what everybody may read.
            file.chmod(0o644)
    return changed


def _left(folder: Path, made: Mapping[str, str]) -> list[str]:
    """Files of a part that are not made any more: a rule file that nobody names is loaded all the same."""
    there = (path for part in FOLDERS for path in (folder / part).rglob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in there)
    return [name for name in names if name not in made and not Path(name).name.startswith(".")]


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
