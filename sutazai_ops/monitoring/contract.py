"""The metric contract: what an application exports so that its users' experience can be measured, and whether it does.

docs/metric-contract.md states it for people, metrics.yaml (`application`) for rules and panels. Here what a service
really serves is held against it, part by part. A part of which a service serves nothing is not broken: an agent need
not answer requests. Pure, but for `ask`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.metrics import exporters
from sutazai_ops.platform.infer import from_image, image_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric
    from prometheus_client.samples import Sample

    from sutazai_ops.engines import Engine
    from sutazai_ops.platform import Service

FAST_SECONDS = 0.2
"""The objective for an answer: a share can be counted at an edge of the histogram alone."""
TASK_SECONDS = 5.0
"""The objective for a task of an agent."""
ROUTE_LABELS = ("endpoint", "handler")
"""Either names the route; the second is what prometheus-fastapi-instrumentator calls it, and Prometheus is told to call
it as the first."""
ROUTES_AT_MOST = 200
"""More of them are paths, of which there is one for each thing that was ever asked for."""
OF_OTHERS = frozenset({"alloy", "caddy"})
"""Images of programs that serve metrics of their own kind, beside those of which tier and probes are known."""
ENDS = frozenset({"done", "failed", "timeout"})
"""How a task may end."""
VOTES = frozenset({"up", "down"})
"""What a user can think of an answer."""
SECONDS = 5.0
_OF_ONE_THING = re.compile(r"/(\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22})(/|$)")
_STATUS = re.compile(r"[1-5]\d\d")


class State(StrEnum):
    """How a service stands to one part."""

    MET = "met"
    NOT_MET = "not met"
    ABSENT = "absent"
    """It serves nothing of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the contract, and how a service stands to it."""

    name: str
    state: State
    because: str = ""


def applications(services: Iterable[Service]) -> list[Service]:
    """The services that serve metrics and whose image is nobody else's program: those that the contract is for."""
    known = {image for exporter in exporters().values() for image in exporter.images} | OF_OTHERS
    return [
        service
        for service in services
        if service.metrics
        and service.external is None
        and not service.metrics.honor_labels
        and image_name(service.image or "") not in known
        and from_image(service.image or "") is None
    ]


def ask(service: Service, engine: Engine) -> list[Part]:
    """Hold what a service serves now against the contract.

    Raises:
        OpsError: when it cannot be asked, asks for a key, or answers something else than metrics.
    """
    from sutazai_ops import http

    metrics = service.metrics
    if metrics is None:
        raise OpsError(f"{service.name} does not say where it serves metrics", remedy="add metrics: under x-sutazai")
    if metrics.secret:
        raise OpsError(f"{service.name} shows its metrics for a key alone, so it is no application of yours")
    address = f"http://{engine.endpoint(service.name, metrics.port)}{metrics.path}"
    answer = http.get(address, seconds=SECONDS)
    if answer.status != http.OK:
        raise OpsError(f"{service.name} serves no metrics at {metrics.path}: it answers {answer.status}", where=address)
    try:
        return check(answer.body.decode(errors="replace"))
    except ValueError as error:
        raise OpsError(f"what {service.name} serves is no metrics: {error}", where=address) from None


def check(text: str) -> list[Part]:
    """Hold a page of metrics against every part; raises `ValueError` for what is no such page."""
    from prometheus_client.parser import text_string_to_metric_families

    families = {family.name: family for family in text_string_to_metric_families(text)}
    return [Part(name, *_judged(rule, families)) for name, rule in RULES.items()]


class _Broken(Exception):
    """A part that is served otherwise than it should be."""


class _NotThere(Exception):
    """A part that is not served."""


def _judged(rule: Callable[[Mapping[str, Metric]], None], families: Mapping[str, Metric]) -> tuple[State, str]:
    try:
        rule(families)
    except _Broken as error:
        return State.NOT_MET, str(error)
    except _NotThere as error:
        return State.ABSENT, str(error)
    return State.MET, ""


def _requests(families: Mapping[str, Metric]) -> None:
    requests = _family(families, "http_requests", "counter")
    _has_labels(requests, "http_requests_total", "method", "status")
    _route_label(requests, "http_requests_total")


def _statuses(families: Mapping[str, Metric]) -> None:
    for status in _values(_family(families, "http_requests", "counter"), "status"):
        if not _STATUS.fullmatch(status):
            raise _Broken(f"status is {status!r}: write the number, so that a 500 can be told from a 404")


def _routes(families: Mapping[str, Metric]) -> None:
    requests = _family(families, "http_requests", "counter")
    routes = set(_values(requests, _route_label(requests, "http_requests_total")))
    of_one = next((route for route in sorted(routes) if _OF_ONE_THING.search(route)), None)
    if of_one:
        raise _Broken(f"{of_one!r} is a path and not a route: each thing that is asked for makes a series of its own")
    if len(routes) > ROUTES_AT_MOST:
        raise _Broken(f"it names {len(routes)} routes: they are paths")


def _durations(families: Mapping[str, Metric]) -> None:
    durations = _family(families, "http_request_duration_seconds", "histogram")
    _has_labels(durations, "http_request_duration_seconds", "method")
    _route_label(durations, "http_request_duration_seconds")
    _has_edge(durations, "http_request_duration_seconds", FAST_SECONDS)


def _tasks(families: Mapping[str, Metric]) -> None:
    tasks = _family(families, "agent_tasks", "counter")
    _has_labels(tasks, "agent_tasks_total", "agent", "status")
    if strange := sorted(set(_values(tasks, "status")) - ENDS):
        raise _Broken(f"a task ends as {strange[0]!r}: one of {', '.join(sorted(ENDS))}")


def _task_durations(families: Mapping[str, Metric]) -> None:
    durations = _family(families, "agent_task_duration_seconds", "histogram")
    _has_labels(durations, "agent_task_duration_seconds", "agent")
    _has_edge(durations, "agent_task_duration_seconds", TASK_SECONDS)


def _inference(families: Mapping[str, Metric]) -> None:
    durations = _family(families, "llm_request_duration_seconds", "histogram")
    _has_labels(durations, "llm_request_duration_seconds", "model")
    _has_labels(_family(families, "llm_tokens", "counter"), "llm_tokens_total", "model", "kind")


def _votes(families: Mapping[str, Metric]) -> None:
    votes = _family(families, "user_votes", "counter")
    _has_labels(votes, "user_votes_total", "vote")
    if strange := sorted(set(_values(votes, "vote")) - VOTES):
        raise _Broken(f"a vote is {strange[0]!r}: one of {', '.join(sorted(VOTES))}")


RULES: Mapping[str, Callable[[Mapping[str, Metric]], None]] = {
    "requests": _requests,
    "statuses": _statuses,
    "routes": _routes,
    "durations": _durations,
    "tasks": _tasks,
    "task durations": _task_durations,
    "inference": _inference,
    "votes": _votes,
}
"""What is asked of each part, by its name on the page of the contract."""


def _family(families: Mapping[str, Metric], name: str, kind: str) -> Metric:
    shown = f"{name}_total" if kind == "counter" else name
    family = families.get(name)
    if family is None or not family.samples:
        if name in families:
            raise _NotThere(f"{shown} has no value yet: nothing happened")
        raise _NotThere(f"it serves no {shown}")
    if family.type != kind:
        raise _Broken(f"{shown} is a {family.type}: make it a {kind}")
    return family


def _has_labels(family: Metric, shown: str, *names: str) -> None:
    lacking = [name for name in names if any(name not in sample.labels for sample in _samples(family))]
    if lacking:
        raise _Broken(f"{shown} lacks the label {lacking[0]}")


def _route_label(family: Metric, shown: str) -> str:
    for name in ROUTE_LABELS:
        if all(name in sample.labels for sample in _samples(family)):
            return name
    raise _Broken(f"{shown} lacks the label {ROUTE_LABELS[0]}")


def _has_edge(family: Metric, shown: str, edge: float) -> None:
    edges = {float(sample.labels["le"]) for sample in family.samples if "le" in sample.labels}
    if edge not in edges:
        raise _Broken(
            f"{shown} has no bucket that ends at {edge:g} s, so the share of what is faster cannot be counted"
        )


def _values(family: Metric, label: str) -> list[str]:
    return [sample.labels.get(label, "") for sample in _samples(family)]


def _samples(family: Metric) -> Iterator[Sample]:
    """Its own, without the moments of creation that the client library adds."""
    return (sample for sample in family.samples if not sample.name.endswith("_created"))
