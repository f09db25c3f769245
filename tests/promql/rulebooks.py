"""Small rulebooks for the tests of what is made of them, and files laid over the packaged ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sutazai_ops.monitoring.signals import Signal
from sutazai_ops.monitoring.thresholds import Rulebook, Threshold, read_rulebook
from sutazai_ops.settings import MonitoringSettings

PACKAGED = read_rulebook(MonitoringSettings())


def signal(name: str = "load", query: str = "load", **keys: Any) -> Signal:
    return Signal.model_validate({"name": name, "query": query, **keys})


def threshold(name: str = "too_much", **keys: Any) -> Threshold:
    usual = {"signal": "load", "for": "0s", "severity": "ticket", "summary": "{value}"}
    level = {} if {"above", "below"} & keys.keys() else {"above": 10}
    return Threshold.model_validate({"name": name, **usual, **level, **keys})


def rulebook(signals: list[Signal], thresholds: list[Threshold]) -> Rulebook:
    return Rulebook(signals={one.name: one for one in signals}, thresholds={one.name: one for one in thresholds})


def with_files(folder: Path, **texts: str) -> Rulebook:
    """The packaged rulebook with files of a person's own: `signals` and `thresholds`."""
    files: Mapping[str, Path] = {name: folder / f"{name}.yaml" for name in texts}
    for name, text in texts.items():
        files[name].write_text(text)
    return read_rulebook(MonitoringSettings.model_validate(files))
