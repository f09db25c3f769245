"""What `docker inspect` says, as values. Pure functions on its JSON.

https://docs.docker.com/reference/api/engine/version/v1.45/#tag/Container/operation/ContainerInspect
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sutazai_ops.engines.base import Container, Health, Observed, Port, State
from sutazai_ops.engines.labels import RELEASE, SPEC

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"
"""Compose's own labels; the last says that somebody ran `docker compose run`."""

Inspected = dict[str, Any]
ENDED_WELL = "it ended with exit code 0"
NANO = 1_000_000_000
NEVER = "0001-01-01"
"""How the engine spells a moment that never was."""


class Readiness(StrEnum):
    """How far a container has come that was just started."""

    READY = "ready"
    NOT_YET = "not yet"
    BROKEN = "broken"


def service_of(inspected: Inspected) -> str:
    """The Compose service it belongs to."""
    return str(_labels(inspected).get(SERVICE, ""))


def number_of(inspected: Inspected) -> int:
    """Which of the service's containers it is."""
    return int(_labels(inspected).get(NUMBER, 0))


def container_of(inspected: Inspected) -> Container:
    """One container as a value."""
    state, host = inspected["State"], inspected["HostConfig"]
    labels = _labels(inspected)
    runs = state["Status"] in {"running", "paused", "restarting"}
    release = labels.get(RELEASE, "")
    return Container(
        id=inspected["Id"],
        name=inspected["Name"].lstrip("/"),
        project=labels.get(PROJECT, ""),
        state=State.RUNNING if runs else State.STOPPED,
        health=_health(state),
        image=inspected["Config"]["Image"],
        image_id=inspected["Image"],
        spec=labels.get(SPEC),
        release=int(release) if release.isdigit() else None,
        started_at=moment(state.get("StartedAt")),
        restarts=inspected.get("RestartCount", 0),
        exit_code=None if runs else state.get("ExitCode"),
        out_of_memory=bool(state.get("OOMKilled")),
        memory=host.get("Memory") or None,
        cpus=_cpus(host),
        pids=_positive(host.get("PidsLimit")),
        networks=frozenset(inspected["NetworkSettings"]["Networks"] or {}),
        ports=frozenset(_ports(inspected)),
        mounts={m["Destination"]: m.get("Name") or m.get("Source", "") for m in inspected.get("Mounts") or ()},
    )


def observed(service: str, containers: Sequence[Inspected]) -> Observed:
    """One service; it is as well as the least well of its containers."""
    if not containers:
        return Observed(service, State.ABSENT, Health.UNKNOWN)
    values = tuple(container_of(one) for one in containers)
    newest = values[-1]
    runs = [one for one in values if one.state is State.RUNNING]
    return Observed(
        service,
        State.RUNNING if runs else newest.state,
        _worst([one.health for one in values]),
        version=tag_of(newest.image),
        started_at=runs[-1].started_at if runs else None,
        restarts=sum(value.restarts for value in values),
        note="; ".join(dict.fromkeys(filter(None, map(note, containers)))),
        containers=values,
    )


def _worst(healths: Sequence[Health]) -> Health:
    return next((one for one in (Health.FAILED, Health.UNKNOWN) if one in healths), Health.OK)


def readiness(inspected: Inspected, *, one_shot: bool) -> tuple[Readiness, str]:
    """How far it has come, and why it is broken where it is.

    Args:
        inspected: the container.
        one_shot: whether it is done once it has ended well.
    """
    state = inspected["State"]
    status, health = state["Status"], (state.get("Health") or {}).get("Status", "none")
    if status in {"exited", "dead"}:
        if one_shot and state["ExitCode"] == 0:
            return Readiness.READY, ""
        return Readiness.BROKEN, how_it_ended(state)
    if status == "restarting":
        return Readiness.BROKEN, f"it ends again and again, {how_it_ended(state)}"
    if health == "unhealthy":
        return Readiness.BROKEN, f"its health check fails: {last_check(state) or 'it says nothing'}"
    if status != "running" or one_shot or health == "starting":
        return Readiness.NOT_YET, ""
    return Readiness.READY, ""


def seconds_to_be_healthy(inspected: Inspected) -> float:
    """How long its own health check gives it: the start period, then every retry to its end."""
    check = inspected["Config"].get("Healthcheck") or {}
    if not check.get("Test") or check["Test"][0] == "NONE":
        return 0.0
    interval, timeout = check.get("Interval") or 30 * NANO, check.get("Timeout") or 30 * NANO
    return float((check.get("StartPeriod") or 0) + (check.get("Retries") or 3) * (interval + timeout)) / NANO


def note(inspected: Inspected) -> str:
    """What a person should know beside state and health."""
    state = inspected["State"]
    if state["Status"] in {"exited", "dead"}:
        return how_it_ended(state)
    if state["Status"] in {"restarting", "paused"}:
        return str(state["Status"])
    health = (state.get("Health") or {}).get("Status")
    if health == "unhealthy":
        return last_check(state)
    return "starting" if health == "starting" else ""


def last_check(state: Mapping[str, Any]) -> str:
    """The last line that the health check wrote."""
    log = (state.get("Health") or {}).get("Log") or []
    lines = str(log[-1].get("Output", "")).strip().splitlines() if log else []
    return lines[-1] if lines else ""


def address_of(inspected: Inspected, port: int) -> tuple[str, int] | None:
    """Where a client on the host reaches a port of it: published, or else at its own address on a network."""
    for published in sorted(_ports(inspected), key=str):
        if published.inside == port and published.protocol == "tcp":
            everywhere = published.address in {"0.0.0.0", "::"}  # noqa: S104  (read, not bound)
            return ("127.0.0.1" if everywhere else published.address), published.outside
    networks = inspected["NetworkSettings"]["Networks"] or {}
    if "host" in networks:
        return "127.0.0.1", port
    addresses = (str(networks[name].get("IPAddress") or "") for name in sorted(networks))
    return next(((address, port) for address in addresses if address), None)


def address_inside(inspected: Inspected, port: int, networks: Collection[str]) -> tuple[str, int] | None:
    """Where a client in a container that is on these networks reaches a port of it: on one that they share."""
    joined = inspected["NetworkSettings"]["Networks"] or {}
    addresses = (str(joined[name].get("IPAddress") or "") for name in sorted(joined) if name in networks)
    return next(((address, port) for address in addresses if address), None)


def tag_of(image: str) -> str | None:
    """The tag of an image's reference, for people.

    >>> tag_of("127.0.0.1:5000/postgres:16.11-alpine@sha256:0f3c")
    '16.11-alpine'
    """
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2] or None


def _labels(inspected: Inspected) -> dict[str, str]:
    return inspected["Config"].get("Labels") or {}


def _health(state: Mapping[str, Any]) -> Health:
    if state["Status"] in {"exited", "dead", "restarting"}:
        return Health.FAILED if state.get("ExitCode") else Health.UNKNOWN
    status = (state.get("Health") or {}).get("Status")
    return {"healthy": Health.OK, "unhealthy": Health.FAILED}.get(str(status), Health.UNKNOWN)


def how_it_ended(state: Mapping[str, Any]) -> str:
    """Why the container of this state does not run any more, in words."""
    if state.get("OOMKilled"):
        return "it was ended because it was out of memory"
    if state.get("Error"):
        return str(state["Error"])
    return f"it ended with exit code {state['ExitCode']}"


def _cpus(host: Mapping[str, Any]) -> float | None:
    if nano := host.get("NanoCpus"):
        return float(nano) / NANO
    quota, period = host.get("CpuQuota") or 0, host.get("CpuPeriod") or 100_000
    return quota / period if quota > 0 else None


def _positive(value: int | None) -> int | None:
    return value if value and value > 0 else None


def _ports(inspected: Inspected) -> Iterator[Port]:
    for inside, bindings in (inspected["NetworkSettings"].get("Ports") or {}).items():
        number, _, protocol = inside.partition("/")
        for binding in bindings or ():
            # The same binding for IPv6 beside that for IPv4, which Docker adds by itself.
            if binding["HostIp"] != "::":
                yield Port(int(number), int(binding["HostPort"]), binding["HostIp"], protocol)


def moment(text: str | None) -> datetime | None:
    """A moment with nanoseconds, which Python cuts to microseconds."""
    if not text or text.startswith(NEVER):
        return None
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text)).astimezone(UTC)
