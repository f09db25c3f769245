"""Replaces a service that its users reach by a proxy without losing one request.

1. The proxy is told to send requests to the old one by its own name, because the service's name will mean both.
2. A copy of the new version is started beside it, and awaited until it is healthy. One that does not get there is taken
   away again, and has never served.
3. The proxy is told to send requests to the copy, by a file and a command. (To let it find out from Docker's DNS was
   measured to lose requests: a connection that was kept alive dies with the old container.)
4. The old one is given time to finish what it has accepted, and is then stopped and removed.

Whatever ends this half-way leaves the proxy at a version that runs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sutazai_ops.engines import NoEngine, State
from sutazai_ops.errors import OpsError, Unreachable

if TYPE_CHECKING:
    from sutazai_ops.engines import Container, Engine, Order
    from sutazai_ops.platform import Platform, Service
    from sutazai_ops.progress import Progress

DRAIN_SECONDS = 3.0
"""What the old version is given after the switch: requests that the proxy has passed on end meanwhile, and what takes
longer ends within the service's own grace period."""


def replace_start_first(engine: Engine, order: Order, service: Service, platform: Platform, progress: Progress) -> None:
    """Put the version that the order's file means in the place of what runs.

    Raises:
        OpsError: naming the service, when the new version does not become healthy or the proxy cannot be switched; the
            old one serves on.
    """
    there = engine.observe_project(order.project).get(service.name, ())
    point_proxy_at(engine, service, platform, [one for one in there if one.state is State.RUNNING])
    old = engine.add_copy(order, service.name, progress)
    copies = engine.observe_project(order.project).get(service.name, ())
    fresh = [one for one in copies if one.id not in {container.id for container in old}]
    with progress.step(f"switch {service.name}"):
        try:
            point_proxy_at(engine, service, platform, fresh)
        except OpsError:
            point_proxy_at(engine, service, platform, old)
            engine.retire(fresh)
            raise
        # A kept-alive connection may carry a request that is under way; nothing tells when the last one ends.
        time.sleep(DRAIN_SECONDS)
    with progress.step(f"retire the old {service.name}"):
        engine.retire(old)


def point_proxy_at(
    engine: Engine, service: Service, platform: Platform, containers: list[Container] | tuple[Container, ...]
) -> None:
    """Make the proxy of a service send its requests to these containers; nothing where it has none or none runs."""
    if service.behind is None or not containers:
        return
    proxy = platform.service(service.behind.proxy)
    if proxy.proxy is None:
        return
    upstreams = " ".join(f"{container.name}:{service.behind.port}" for container in containers)
    path = f"{proxy.proxy.upstreams}/{service.name}.caddy"
    try:
        engine.write_file(proxy.name, path, f"to {upstreams}\n".encode())
        engine.execute(proxy.name, proxy.proxy.reload)
    except NoEngine:
        raise
    except Unreachable:
        # It does not run yet. Where it starts, it is pointed at what runs then.
        return
