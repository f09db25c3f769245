"""Refuses names that lead nowhere, and names that could mean two things, over all files of a platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.errors import BadInput
from sutazai_ops.platform.model import Tier
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from sutazai_ops.platform.compose_file import ComposeFile
    from sutazai_ops.platform.model import Cache, Service


def refuse_unknown_dependencies(services: Mapping[str, Service], files: Mapping[Path, ComposeFile]) -> None:
    """Raise `BadInput` for a service that depends on, or needs, one that no file has."""
    for service in services.values():
        for other in service.depends_on:
            if other in services:
                continue
            is_need = other in service.needs
            raise BadInput(
                f"{service.name} {'needs' if is_need else 'depends on'} {other}, which no file has",
                where=files[service.file].where(
                    "services", service.name, *(("x-sutazai", "needs") if is_need else ("depends_on", other))
                ),
                remedy=nearest(other, services) or f"known are: {', '.join(services)}",
            )


def refuse_unclear_names(
    services: Mapping[str, Service],
    tops: Mapping[Path, Mapping[str, Mapping[str, Any]]],
    files: Mapping[Path, ComposeFile],
) -> None:
    """Raise `BadInput` for an alias that is taken, a login's secret or a proxy that nothing else has, or a queue that a
    cache holds.

    Args:
        services: in roll-out order.
        tops: what each file says at its top level.
        files: for the line of a message.
    """
    _refuse_taken_aliases(services, files)
    queues = {queue.name: queue.kind for service in services.values() for queue in service.queues}
    secrets = {name for top in tops.values() for name in top.get("secrets", {})}
    proxies = [service.name for service in services.values() if service.proxy]
    for service in services.values():
        file = files[service.file]
        place = ("services", service.name, "x-sutazai")
        if service.login and service.login.secret and service.login.secret not in secrets:
            name = service.login.secret
            raise BadInput(
                f"{service.name} names the secret {name} for its login, which no file has",
                where=file.where(*place, "login", "secret"),
                remedy=nearest(name, secrets) or f"known are: {', '.join(sorted(secrets)) or 'none'}",
            )
        for cache in service.caches:
            _refuse_cached_work(service, cache, services, file.where(*place, "caches"))
        if service.takes:
            _refuse_unknown_queue(service, queues, file.where(*place, "takes", "queue"))
        if service.placement and (service.tier is Tier.STATEFUL or service.criticality in {"critical", "high"}):
            raise BadInput(
                f"{service.name} is {'stateful' if service.tier is Tier.STATEFUL else service.criticality}, and may not"
                f" be placed on hosts that can be taken away",
                where=file.where(*place, "placement"),
                remedy="remove placement, or say criticality: normal",
            )
        if service.behind and service.behind.proxy not in proxies:
            name = service.behind.proxy
            raise BadInput(
                f"{service.name} is behind {name}, which is no proxy",
                where=file.where(*place, "behind", "proxy"),
                remedy=nearest(name, proxies) or f"proxies are: {', '.join(proxies) or 'none'}",
            )


def _refuse_unknown_queue(service: Service, queues: Mapping[str, str], where: str) -> None:
    name = service.takes.queue if service.takes else ""
    if name not in queues:
        remedy = nearest(name, queues) or f"queues are: {', '.join(queues) or 'none'}"
        raise BadInput(
            f"{service.name} takes from the queue {name!r}, which no service holds", where=where, remedy=remedy
        )
    if queues[name] != "list" and service.takes and service.takes.in_hand:
        raise BadInput(
            f"{service.name} keeps what it has in hand in a list, and the queue {name} is a {queues[name]}",
            where=where,
            remedy="remove in_hand; a stream's own groups know what was taken",
        )


def _refuse_cached_work(service: Service, cache: Cache, services: Mapping[str, Service], where: str) -> None:
    queues = [one for one in service.queues if one.database == cache.database]
    for queue in queues:
        takers = [one.takes for one in services.values() if one.takes and one.takes.queue == queue.name]
        in_hand = [one.in_hand.partition("{container}")[0] for one in takers if one.in_hand]
        if any(map(cache.has, (queue.key, queue.set_aside))) or any(map(cache.touches, in_hand)):
            raise BadInput(
                f"the cache {cache.keys} of {service.name} holds the queue {queue.name}, which must not be lost",
                where=where,
                remedy="give the cache a beginning that nothing else has",
            )


def _refuse_taken_aliases(services: Mapping[str, Service], files: Mapping[Path, ComposeFile]) -> None:
    taken = dict.fromkeys(services, "a service")
    for service in services.values():
        for alias in service.aliases:
            if alias in taken:
                raise BadInput(
                    f"the alias {alias} of {service.name} is {taken[alias]} already",
                    where=files[service.file].where("services", service.name, "x-sutazai", "aliases"),
                    remedy="choose another",
                )
            taken[alias] = f"an alias of {service.name}"
