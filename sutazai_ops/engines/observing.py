"""How a running server is, asked from itself: health by a real query, version, and how full it is."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import psutil

from sutazai_ops.engines import postgres, redis
from sutazai_ops.engines.base import Capacity, Health, Observed, Usage
from sutazai_ops.errors import OpsError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sutazai_ops.engines.base import Server, State

READY_SECONDS = 3


def observe(server: Server, kind: str, state: State, started_at: datetime | None = None) -> Observed:
    """Ask the server how it is; one that does not answer is observed as failed, with the reason.

    Args:
        server: whom to ask.
        kind: "postgres", "redis", "valkey" or "exporter".
        state: what is known of its process.
        started_at: since when it runs, where that is known.
    """
    try:
        version, note = QUESTIONS[kind](server)
    except OpsError as error:
        return Observed(server.name, state, Health.FAILED, started_at=started_at, note=error.what)
    return Observed(server.name, state, Health.OK, version, started_at, note=note)


def capacity() -> Capacity:
    """What this machine has."""
    return Capacity(memory=psutil.virtual_memory().total, cpus=psutil.cpu_count() or 1)


def usage(pid: int) -> Usage:
    """What a process and all its children use now.

    Memory that several of them share is counted once where the system tells (PSS, Linux), else by each.
    """
    memory, seconds = 0, 0.0
    for process in _family(pid):
        try:
            memory += _own_share(process)
            times = process.cpu_times()
            # Children that have ended are counted by their parent.
            seconds += times.user + times.system + times.children_user + times.children_system
        except psutil.NoSuchProcess:
            continue
    return Usage(memory, seconds)


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _own_share(process: psutil.Process) -> int:
    try:
        return int(getattr(process.memory_full_info(), "pss", 0)) or process.memory_info().rss
    except psutil.AccessDenied:
        return process.memory_info().rss


def _postgres(server: Server) -> tuple[str, str]:
    facts = postgres.ask(server)
    return facts.version, f"{_size(facts.bytes)}, {facts.connections} of {facts.connection_limit} connections"


def _redis(server: Server) -> tuple[str, str]:
    facts = redis.ask(server)
    return facts.version, f"{facts.keys:,} keys, {_size(facts.memory)}"


def _exporter(server: Server) -> tuple[None, str]:
    from sutazai_ops import http

    answer = http.get(f"http://{server.endpoint}/-/ready", seconds=READY_SECONDS)
    if answer.status != HTTPStatus.OK:
        raise Unreachable(answer.body.decode(errors="replace").strip().partition("\n")[0] or "it is not ready")
    return None, ""


def _size(count: int) -> str:
    from rich.filesize import decimal

    return decimal(count)


QUESTIONS: Mapping[str, Callable[[Server], tuple[str | None, str]]] = {
    "postgres": _postgres,
    "redis": _redis,
    "valkey": _redis,
    "exporter": _exporter,
}
