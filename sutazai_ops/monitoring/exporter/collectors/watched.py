"""Whether those who watch are awake: Prometheus and Alertmanager, which cannot tell of their own death.

Prometheus is well when it is ready and has evaluated every group of its rules lately, by its own clock; Alertmanager
when it is ready. What counts is how long ago that was, of Prometheus its newest evaluation, so that one that hangs, or
answers and evaluates nothing, is noticed as soon as one that has gone.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sutazai_ops import http
from sutazai_ops.errors import OpsError, Unreachable
from sutazai_ops.monitoring.exporter.collectors.models import NANOSECONDS
from sutazai_ops.monitoring.exporter.measured import Round
from sutazai_ops.monitoring.probes.http import written
from sutazai_ops.monitoring.servers import is_alertmanager, is_prometheus, port_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sutazai_ops.engines import Engine
    from sutazai_ops.monitoring.exporter.board import Board
    from sutazai_ops.platform import Service

AGE = "sutazai_watched_age_seconds"
PROMETHEUS = "prometheus"
ALERTMANAGER = "alertmanager"
SECONDS = 5.0
LATE_INTERVALS = 3
"""After how many of its own intervals a group of rules is late."""


class WatchedCollector:
    """A collector: since when Prometheus and Alertmanager were last found well."""

    name = "watched"

    def __init__(
        self, engine: Engine, services: Callable[[], Sequence[Service]], board: Board, *, interval: float,
        seconds: float = 25,
    ) -> None:  # fmt: skip
        self.interval, self.seconds = interval, seconds
        self._engine, self._services, self._board = engine, services, board
        self._known: dict[str, str] = {}
        """The kind of each service whose age is on the board."""

    def collect(self) -> Round:
        """Ask each whether it is well. Their ages stand on the board by themselves."""
        missing: list[str] = []
        away: list[str] = []
        there = {service.name: (service, kind) for service in self._services() if (kind := kind_of(service))}
        for name in self._known.keys() - there.keys():
            self._board.remove(f"watched {name}")
            del self._known[name]
        for name, (service, kind) in there.items():
            if name not in self._known:
                self._known[name] = kind
                self._found_well(name, kind)
            try:
                ago = self._ask(service, kind)
            except Unreachable as error:
                away.append(error.what)
            except OpsError as error:
                missing.append(error.what)
            else:
                self._found_well(name, kind, ago)
        return Round((), tuple(missing), away=tuple(away))

    def _found_well(self, service: str, kind: str, ago: float = 0.0) -> None:
        self._board.put_age(f"watched {service}", AGE, {"service": service, "kind": kind}, ago=ago)

    def _ask(self, service: Service, kind: str) -> float:
        """How many seconds ago it was well; raises `OpsError` where nothing says that it was."""
        port = port_of(service)
        address = written(self._engine.endpoint(service.name, port), "")
        answer = http.get(f"{address}/-/ready", seconds=SECONDS)
        if answer.status != http.OK:
            raise OpsError(f"{service.name} is not ready: it answers {answer.status}", where=address)
        if kind != PROMETHEUS:
            return 0.0
        try:
            rules, now = _data(address, "/api/v1/rules?type=alert"), _now_of(address)
            late, ago = late_groups(rules, now), evaluated_ago(rules, now)
        except (KeyError, TypeError, ValueError):
            raise OpsError(f"{service.name} does not tell of its rules as Prometheus does", where=address) from None
        if late:
            raise OpsError(f"{service.name} has not evaluated its rules lately: {', '.join(late[:3])}", where=address)
        return ago


def kind_of(service: Service) -> str:
    """What it watches as; empty for what does not."""
    return PROMETHEUS if is_prometheus(service) else ALERTMANAGER if is_alertmanager(service) else ""


def late_groups(rules: Any, now: float) -> list[str]:  # noqa: ANN401
    """The groups of rules that were not evaluated in the last intervals of theirs, by their names."""
    return [
        str(group["name"])
        for group in rules["groups"]
        if now - _evaluated_at(group) > LATE_INTERVALS * float(group["interval"])
    ]


def evaluated_ago(rules: Any, now: float) -> float:  # noqa: ANN401
    """For how many seconds no group of rules was evaluated; 0 where there is none."""
    newest = max((_evaluated_at(group) for group in rules["groups"]), default=now)
    return max(0.0, now - newest)


def _evaluated_at(group: Any) -> float:  # noqa: ANN401
    return datetime.fromisoformat(NANOSECONDS.sub(r"\1", str(group["lastEvaluation"]))).timestamp()


def _now_of(address: str) -> float:
    return float(_data(address, "/api/v1/query?query=time()")["result"][1])


def _data(address: str, path: str) -> Any:  # noqa: ANN401
    answer = http.get(f"{address}{path}", seconds=SECONDS, at_most=16 * http.READ_BYTES)
    try:
        content = json.loads(answer.body)
        if content["status"] == "success":
            return content["data"]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise OpsError(f"Prometheus answers {answer.status} to {path.partition('?')[0]}, not what it should", where=address)
