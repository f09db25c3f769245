"""Whether Prometheus reaches all targets of a scrape job: a probe of the kind `prometheus` with a `target`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sutazai_ops.monitoring.probes.answers import MISSING, Expectation, content_of, judge, shown, value_at
from sutazai_ops.monitoring.probes.http import http_question, url
from sutazai_ops.monitoring.probes.outcome import ProbeState, right, wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sutazai_ops.engines import Engine
    from sutazai_ops.http import Answer
    from sutazai_ops.monitoring.probes.outcome import Judgement
    from sutazai_ops.platform import Probe, Service

TARGETS = "/api/v1/targets"
"""Prometheus manual, HTTP API, targets. Versions before 2.42 pass over `scrapePool`, so it is looked at here too."""
READ_BYTES = 4 * 1024 * 1024
"""A target takes about a kilobyte with its labels, those before relabelling too."""
NAMED = 3
"""How many targets are named that are not up."""


def prometheus_question(service: Service, probe: Probe, engine: Engine) -> Callable[[], Judgement]:
    """Whether Prometheus is ready, or the targets of the probe's job are up; raises as `http_question`."""
    from sutazai_ops import http

    if probe.target is None:
        return http_question(service, probe, engine)
    job = probe.target
    query = urlencode({"state": "active", "scrapePool": job})
    address = url(service, probe, engine, f"{probe.path or TARGETS}?{query}")

    def ask() -> Judgement:
        return judge_targets(http.get(address, seconds=probe.timeout_seconds, at_most=READ_BYTES), job)

    return ask


def judge_targets(answer: Answer, job: str) -> Judgement:
    """Whether the job has targets and all of them are up."""
    judged = judge(answer, Expectation(values={"status": "success"}))
    if judged.state is not ProbeState.OK:
        return judged
    listed = value_at(content_of(answer), "data.activeTargets")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return wrong("its answer is not a list of targets")
    targets = [one for one in listed if one.get("scrapePool") == job]
    down = [one for one in targets if one.get("health") != "up"]
    if not targets:
        return wrong(f"it has no target in the job {job}", targets="0")
    counts = {"targets": str(len(targets)), "down": str(len(down))}
    if down:
        return wrong(f"{len(down)} of {len(targets)} targets of {job} are not up: {_named(down)}", **counts)
    return right(f"all {len(targets)} targets of {job} are up", **counts)


def _named(targets: Sequence[dict[str, Any]]) -> str:
    # The label, not the address it is scraped at, whose parameters may hold a token.
    instances = [value_at(one, "labels.instance") for one in targets[:NAMED]]
    names = ["one without a name" if instance is MISSING else shown(instance) for instance in instances]
    return ", ".join(names) + (", …" if len(targets) > NAMED else "")
