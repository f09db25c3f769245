"""What is collected before anything is done, or a person is told: how the target was, while it still is so.

Kept as one text file an attempt in `incidents/<number>/` of the home folder, readable by its owner alone: logs may hold
anything. What cannot be had says why, and keeps nothing else from being collected.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.deployment.release import Releases
from sutazai_ops.disk import writing
from sutazai_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sutazai_ops.engines import Container, Observed, Usage
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry

LOG_LINES = 200


def collect(here: Installation, incident: IncidentEntry, attempt: int) -> Path:
    """Write down what can be seen of the target; returns the file.

    Raises:
        OpsError: where it cannot be written.
    """
    folder = folder_of(here, incident.number)
    file = folder / f"diagnostics-{attempt}.txt"
    parts = [f"== {title}\n{text}\n" for title, text in _parts(here, incident)]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
        file.write_text("\n".join(parts), encoding="utf-8")
    return file


def newest(here: Installation, number: int) -> str:
    """What was collected last for an incident; empty where nothing was."""
    files = sorted(folder_of(here, number).glob("diagnostics-*.txt"), key=lambda file: file.stat().st_mtime)
    return files[-1].read_text(encoding="utf-8") if files else ""


def folder_of(here: Installation, number: int) -> Path:
    """Where what was seen of an incident is kept."""
    return here.settings.home / "incidents" / str(number)


def _parts(here: Installation, incident: IncidentEntry) -> Iterator[tuple[str, str]]:
    yield "incident", f"{incident.number}: {incident.summary}, since {incident.broken_since}"
    yield "disk", _said(lambda: _disk(here.settings.home))
    yield "release", _said(lambda: _release(here))
    yield "services", _said(lambda: _services(here.engine.observe()))
    if incident.service:
        yield "what it runs as", _said(lambda: _containers(here.engine.observe(), incident.service))
        yield "usage", _said(lambda: _usage(here.engine.usage(incident.service)))
        yield "log", _said(lambda: "\n".join(here.engine.logs(incident.service, LOG_LINES)))


def _said(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (OpsError, OSError) as error:
        return f"cannot be had: {error}"


def _services(observed: Sequence[Observed]) -> str:
    width = max((len(one.service) for one in observed), default=0)
    lines = []
    for one in observed:
        since = f"since {one.started_at:%Y-%m-%d %H:%M:%S} UTC" if one.started_at else ""
        restarts = f"restarts {one.restarts}" if one.restarts else ""
        told = [one.state, f"health {one.health}", since, restarts, one.note]
        lines.append(f"{one.service:<{width}}  " + ", ".join(word for word in told if word))
    return "\n".join(lines)


def _containers(observed: Sequence[Observed], service: str) -> str:
    containers = [each for one in observed if one.service == service for each in one.containers]
    return "\n\n".join(map(_container, containers)) or "no container"


def _container(one: Container) -> str:
    told = ((field.name, _shown(getattr(one, field.name))) for field in fields(one))
    return "\n".join(f"{name}: {fact}" for name, fact in told if fact)


def _shown(fact: object) -> str:
    if isinstance(fact, Mapping):
        return ", ".join(f"{key} from {value}" for key, value in fact.items())
    if isinstance(fact, (frozenset, tuple)):
        return ", ".join(sorted(map(str, fact)))
    return "" if fact is None else str(fact)


def _usage(usage: Usage | None) -> str:
    if usage is None:
        return "it does not run"
    return f"{human.memory(usage.memory)} of memory, {human.duration(usage.cpu_seconds)} of processor time so far"


def _disk(home: Path) -> str:
    usage = shutil.disk_usage(home)
    return f"{human.size(usage.free)} of {human.size(usage.total)} are free"


def _release(here: Installation) -> str:
    releases = Releases(here.settings.releases)
    current = releases.current()
    if current is None:
        return "nothing was ever deployed"
    record = releases.record(current.number)
    return f"{current.number}, {record.because}, of {record.created_at:%Y-%m-%d %H:%M} UTC: {dict(record.outcomes)}"
