"""Reads the playbooks: those of this program with the user's own (setting `remediation.playbooks`) laid over them.

What names an action, a check, a service or a signal that there is not is refused with its line, and so is a threshold
that names a playbook that there is not: a repair that can never happen is found out by day.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring import thresholds
from sutazai_ops.monitoring.entries import read_entries, taken_away
from sutazai_ops.remediation.playbook import NO_PLAYBOOK, Playbook
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sutazai_ops.monitoring.entries import Entry
    from sutazai_ops.monitoring.thresholds import Rulebook

PACKAGED = Path(__file__).with_name("playbooks.yaml")
PAGE = "docs/remediation/write-a-playbook.md"


def read_playbooks(
    rulebook: Rulebook, services: Collection[str], over: Path | None = None, own_thresholds: Path | None = None
) -> dict[str, Playbook]:
    """Every playbook by name.

    Args:
        rulebook: the signals and thresholds that it is held against.
        services: every service of the platform.
        over: the user's own file.
        own_thresholds: the user's file of thresholds, for the line of one that names a playbook that there is not.

    Raises:
        BadInput: for whatever is wrong; names file and line.
    """
    entries = read_entries(PACKAGED, over, PAGE)
    found = {name: entry.as_model(Playbook, "playbook") for name, entry in entries.items()}
    for name, playbook in found.items():
        _check(entries[name], playbook, rulebook, services)
    _check_thresholds(rulebook, found, over, own_thresholds)
    return found


def playbook_of(playbooks: Mapping[str, Playbook], name: str) -> Playbook:
    """The playbook of that name; `NO_PLAYBOOK` for an incident that has none, or one that was taken away since."""
    return playbooks.get(name, NO_PLAYBOOK)


def _check(entry: Entry, playbook: Playbook, rulebook: Rulebook, services: Collection[str]) -> None:
    for i, rung in enumerate(playbook.ladder):
        for j, target in enumerate(rung.targets):
            if target not in services:
                raise entry.refuse(
                    f"there is no service {target!r} in the platform",
                    "ladder", i, "targets", j,
                    remedy=nearest(target, services) or "sutazai-ops status shows them",
                )  # fmt: skip
        if rung.verify is not None:
            thresholds.check_level(entry, rung.verify, rulebook.signals, "ladder", i, "verify")


def _check_thresholds(
    rulebook: Rulebook, playbooks: Mapping[str, Playbook], over: Path | None, own: Path | None
) -> None:
    gone = taken_away(over, PAGE)
    for threshold in rulebook.thresholds.values():
        if threshold.playbook in gone - playbooks.keys():
            raise BadInput(
                f"the playbook {threshold.playbook} cannot be taken away: the threshold {threshold.name} names it",
                where=f"{over}, key {threshold.playbook}",
                remedy=f"write {threshold.playbook}: {{ladder: []}}, with which only a person is told",
            )
        if threshold.playbook is not None and threshold.playbook not in playbooks:
            entry = read_entries(thresholds.PACKAGED, own)[threshold.name]
            raise entry.refuse(
                f"there is no playbook {threshold.playbook!r}, which the threshold {threshold.name} names",
                "playbook",
                remedy=nearest(threshold.playbook, playbooks) or f"write one, as {PAGE} shows, or remove the line",
            )
