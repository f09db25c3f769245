"""The pages of docs/ that are made of the packaged signals and thresholds, so that they say what the program does.

They are the runbooks, and the tables of signals.md. `make docs` writes them; a test says when one is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.disk import write_whole, writing
from sutazai_ops.monitoring.metrics import exporters
from sutazai_ops.monitoring.presence import OURS
from sutazai_ops.monitoring.runbooks import condition_in_words, runbook_pages
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.settings import MonitoringSettings

if TYPE_CHECKING:
    from sutazai_ops.monitoring.signals import Signal
    from sutazai_ops.monitoring.thresholds import Rulebook

SIGNALS = "signals.md"
RUNBOOKS = "runbooks"
TABLES = "## What is measured\n"
"""Where the part of signals.md begins that is made; what stands before it is written by hand."""
MEASURED_BY = {
    "sutazai": "This program's exporter",
    "node": "Node exporter, and on the embedded engine this program's exporter",
    "application": "Applications, by the metric contract",
    "postgres": "postgres_exporter",
    "redis": "redis_exporter",
    "prometheus": "Prometheus itself",
    "alertmanager": "Alertmanager itself",
}


def documents(docs: Path) -> dict[str, str]:
    """Each page by its path below `docs`, as it should be."""
    rulebook = read_rulebook(MonitoringSettings())
    pages = {f"{RUNBOOKS}/{name}": text for name, text in runbook_pages(rulebook).items()}
    written, _, _ = (docs / SIGNALS).read_text(encoding="utf-8").partition(TABLES)
    return {SIGNALS: written + tables(rulebook), **pages}


def tables(rulebook: Rulebook) -> str:
    """What is measured, by whom, and which thresholds stand on it."""
    sections = [_section(name, rulebook) for name in [*exporters(), ""]]
    return TABLES + "".join(f"\n{one}" for one in sections if one)


def stale_documents(docs: Path) -> list[str]:
    """The pages below `docs` that are not as they would be made, those missing and those that are made no more."""
    made = documents(docs)
    there = {path.relative_to(docs).as_posix() for path in (docs / RUNBOOKS).glob("*.md")} | {SIGNALS}
    return sorted({name for name, text in made.items() if _read(docs / name) != text} | (there - made.keys()))


def write_documents(docs: Path) -> list[str]:
    """Bring the pages below `docs` to what they should be; returns those that were changed or removed."""
    made, changed = documents(docs), stale_documents(docs)
    for name in changed:
        file = docs / name
        with writing(file):
            if name in made:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(file, made[name].encode())
            else:
                file.unlink()
    return changed


def _section(exporter: str, rulebook: Rulebook) -> str:
    signals = [one for one in rulebook.signals.values() if _measured_by(one) == exporter]
    if not signals:
        return ""
    title = MEASURED_BY.get(exporter, "By nobody")
    rows = "".join(
        f"| `{one.name}` | {one.description} | {one.unit} | {_thresholds(one, rulebook)} |\n" for one in signals
    )
    return f"### {title}\n\n| signal | what it is | unit | thresholds |\n|---|---|---|---|\n{rows}"


def _measured_by(signal: Signal) -> str:
    """Whose numbers it is made of; of several, the one that is not ours, which only says of what they are asked."""
    return "".join(sorted(signal.exporters - {OURS} or signal.exporters))


def _thresholds(signal: Signal, rulebook: Rulebook) -> str:
    found = [one for one in rulebook.thresholds.values() if one.signal == signal.name]
    links = [f"[{one.name}]({RUNBOOKS}/{one.name}.md): {condition_in_words(one, rulebook)}" for one in found]
    return "; ".join(links) or "none"


def _read(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


if __name__ == "__main__":
    for page in write_documents(Path(sys.argv[1])):
        print(page)
