"""The page that somebody reads who was woken: one for each threshold, and an index, as Markdown.

Made from `thresholds.yaml`, so that the levels on a page are those that wake people. Pure: a rulebook comes in, texts
go out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.monitoring.alertmanager import WATCHDOG
from sutazai_ops.monitoring.duration import format_duration
from sutazai_ops.monitoring.thresholds import Severity, Side, Watcher
from sutazai_ops.monitoring.wording import show_level

if TYPE_CHECKING:
    from sutazai_ops.monitoring.thresholds import Condition, Rulebook, Threshold

INDEX = "README.md"
WHAT_THEY_ARE = """One page for each threshold: what it means, what comes of it, how to look and how to mend it.
`page` wakes somebody, `ticket` can wait for the morning. How to add one: [signals](../signals.md)."""
MADE = "<!-- Made by `make docs` from signals.yaml and thresholds.yaml; changes here are overwritten. -->\n"
TOLD = {
    Severity.PAGE: "It wakes somebody.",
    Severity.TICKET: "It can wait for the morning.",
    Severity.NONE: "Nobody is told of it.",
}


def runbook_pages(rulebook: Rulebook) -> dict[str, str]:
    """Each page by its file's name: one for each threshold that has something to say, and the index."""
    told = [one for one in rulebook.thresholds.values() if one.runbook]
    return {f"{one.name}.md": _page(one, rulebook) for one in told} | {INDEX: _index(told, rulebook)}


def condition_in_words(threshold: Threshold, rulebook: Rulebook) -> str:
    """When it fires, as a person says it.

    >>> condition_in_words(host_cpu_high, rulebook)
    '`host_cpu` is over 80%, for 5m'
    """
    words = _condition(threshold, rulebook)
    if threshold.while_ is not None:
        words += f", while {_condition(threshold.while_, rulebook)}"
    return words + (f", for {format_duration(threshold.for_)}" if threshold.for_ else "")


def _condition(condition: Condition, rulebook: Rulebook) -> str:
    signal = rulebook.signal_of(condition)
    side = "over" if condition.side is Side.ABOVE else "under"
    return f"`{signal.name}` is {side} {show_level(condition.level, signal.unit)}"


def _page(threshold: Threshold, rulebook: Rulebook) -> str:
    runbook = threshold.runbook
    assert runbook is not None  # noqa: S101  (only those that have one are shown)
    signal = rulebook.signal_of(threshold)
    keeps = f", and goes on for {format_duration(threshold.keep_firing_for)} once it is whole again"
    fires_on = keeps if threshold.keep_firing_for else ""
    watcher = "" if threshold.watch is Watcher.PROMETHEUS else " The exporter evaluates it, not Prometheus."
    parts = [
        f"{MADE}# {threshold.name}\n\n    {_command(threshold)}\n",
        runbook.meaning.strip(),
        f"{_whom_it_wakes(threshold)} Fires when {condition_in_words(threshold, rulebook)}{fires_on}.{watcher}",
        f"*{signal.name}*: {_sentence(signal.description)} {threshold.because.strip()}",
        f"## Impact\n\n{runbook.impact.strip()}",
        f"## Look\n\n{runbook.look.strip()}",
        f"## Mend\n\n{runbook.mend.strip()}",
        _how_to_tell(threshold),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _whom_it_wakes(threshold: Threshold) -> str:
    if threshold.unless_critical is None:
        return TOLD[threshold.severity]
    minor = TOLD[threshold.unless_critical]
    return f"{TOLD[threshold.severity]} Of a service that is neither critical nor high, {minor[0].lower()}{minor[1:]}"


def _told_as(threshold: Threshold) -> str:
    minor = f"; {threshold.unless_critical} where little depends on it" if threshold.unless_critical else ""
    return f"{threshold.severity}{minor}"


def _command(threshold: Threshold) -> str:
    """The next command, with names in place of what a given alert fills in."""
    words = threshold.next
    for label in ("service", "job"):
        words = words.replace(f"{{{label}}}", label.upper())
    return words


def _how_to_tell(threshold: Threshold) -> str:
    if threshold.name == WATCHDOG:
        return "You know that it is well as long as it fires."
    return f"You know that it is mended when `sutazai-ops alerts` no longer shows `{threshold.name}`."


def _sentence(text: str) -> str:
    return f"{text[0].lower()}{text[1:]}." if text else ""


def _index(told: list[Threshold], rulebook: Rulebook) -> str:
    rows = [
        f"| [{one.name}]({one.name}.md) | {condition_in_words(one, rulebook)} | {_told_as(one)} |"
        for one in sorted(told, key=lambda one: (list(Severity).index(one.severity), one.name))
    ]
    head = [
        f"{MADE}# Runbooks",
        "    sutazai-ops alerts     # what fires now, since when, and the page of each",
        WHAT_THEY_ARE,
        "| threshold | fires when | told as |\n|---|---|---|\n" + "\n".join(rows),
    ]
    return "\n\n".join(head) + "\n"
