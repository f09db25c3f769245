"""Whether the monitoring itself can be relied on: what a green dashboard silently takes for granted.

Each question ends in a finding, which is well or names what is not. The questions are put to whoever evaluates the
rules; the judgements are pure. Where nothing can be asked nothing is found to be well: the error goes to whoever asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from sutazai_ops.monitoring.scrape import INTERVAL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sutazai_ops.monitoring.prometheus import Prometheus, Rule, Target, Value

_ROUNDS_A_DAY = 86_400 // INTERVAL_SECONDS
UNPROBED = "count by (service) (sutazai_service_state) unless on (service) sutazai_probe_state"
COVERAGE_SHARE = 0.99
"""Below this a day's availability is not known well enough to be called met: 0.01 of a day is 14 minutes."""
COVERAGE = (
    'min by (service) ((count_over_time(sutazai_probe_state{state="ok"}[1d])'
    ' - ignoring (state) sum_over_time(sutazai_probe_state{state="unknown"}[1d]))'
    f" / {_ROUNDS_A_DAY}) and on (service) sutazai_probe_state"
)
"""For each service that is probed now, the share of the last day in which its probe came to ok or failed."""


Row = Mapping[str, "str | float"]
"""One thing that a finding is about."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one question came to."""

    is_well: bool
    because: str
    """One sentence, lower case, no full stop."""
    rows: tuple[Row, ...] = ()


def well(because: str) -> Finding:
    """It is as it should be."""
    return Finding(is_well=True, because=because)


def ill(because: str, rows: Iterable[Row] = ()) -> Finding:
    """It is not, or nobody knows."""
    return Finding(is_well=False, because=because, rows=tuple(rows))


def every_service_is_probed(prometheus: Prometheus) -> Finding:
    """Whether each service that the exporter watches has a probe; raises `OpsError` where that cannot be asked."""
    return unprobed(prometheus.query(UNPROBED).values)


def targets_are_up(prometheus: Prometheus) -> Finding:
    """Whether everything is scraped that is meant to be; raises `OpsError` where that cannot be asked."""
    return down(prometheus.targets())


def probes_cover_the_day(prometheus: Prometheus) -> Finding:
    """Whether the last day was measured; raises `OpsError` where that cannot be asked."""
    return uncovered(prometheus.query(COVERAGE).values)


def unprobed(values: Sequence[Value]) -> Finding:
    """The services that are watched and have no probe."""
    names = sorted(one.labels["service"] for one in values)
    if names:
        return ill(f"without a probe: {', '.join(names)}", ({"service": name} for name in names))
    return well("every service that is watched has a probe")


def down(targets: Sequence[Target]) -> Finding:
    """The targets that do not answer."""
    if not targets:
        return ill("nothing is scraped")
    away = [one for one in targets if one.health != "up"]
    if not away:
        return well(f"all {len(targets)} targets are up")
    rows: list[Row] = [{"target": _of(one), "health": one.health, "error": one.error} for one in away]
    return ill(f"{len(away)} of {len(targets)} targets are not up: {', '.join(map(_of, away))}", rows)


def differing(loaded: Iterable[Rule], generated: Iterable[str]) -> Finding:
    """The rules that were generated and are not loaded as they were, those that nobody generated, and broken ones.

    Args:
        loaded: what whoever evaluates them says.
        generated: the texts of the rule files.
    """
    meant = {
        (name, _canonical(rule["expr"]))
        for text in generated
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if (name := rule.get("record") or rule["alert"])
    }
    rules = list(loaded)
    there = {(rule.name, _canonical(rule.query)) for rule in rules}
    rows: list[Row] = [
        *({"rule": name, "what": "not loaded as it was generated"} for name in _names(meant - there)),
        *({"rule": name, "what": "loaded, and not as it was generated"} for name in _names(there - meant)),
        *({"rule": rule.name, "what": rule.error} for rule in rules if rule.error),
    ]
    if rows:
        return ill(f"{len(rows)} rules are not as generated, {rows[0]['rule']} among them", rows)
    return well(f"all {len(meant)} rules are loaded as generated")


def uncovered(values: Sequence[Value]) -> Finding:
    """The services of which too little of the last day was measured."""
    if not values:
        return ill("nothing was probed")
    short = sorted((one for one in values if one.value < COVERAGE_SHARE), key=lambda one: one.value)
    if short:
        rows: list[Row] = [{"service": one.labels["service"], "measured_share": round(one.value, 4)} for one in short]
        least = short[0]
        return ill(f"of {least.labels['service']} {least.value:.1%} of the last day was measured", rows)
    return well(f"at least {COVERAGE_SHARE:.0%} of the last day was measured of all {len(values)} services")


def _of(target: Target) -> str:
    return target.labels.get("service") or target.labels.get("instance", "")


def _names(rules: Collection[tuple[str, str]]) -> list[str]:
    return sorted({name for name, _ in rules})


def _canonical(expression: Any) -> str:  # noqa: ANN401  (YAML reads a lone number as one)
    """An expression as the parser writes it: Prometheus, too, writes what it has loaded in its own way."""
    from sutazai_ops.monitoring.promql import parse

    return str(parse(str(expression)).prettify())
