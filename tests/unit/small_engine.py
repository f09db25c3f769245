"""An engine of services that only answer at ports of loopback, for what the exporter makes of what an engine sees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from probe_servers import Known

from sutazai_ops.engines import Container, Health, Observed, State, Usage
from sutazai_ops.errors import Unreachable

BEGAN = datetime(2026, 11, 26, 2, tzinfo=UTC)
MADE = datetime(2026, 11, 1, tzinfo=UTC)


def container(service: str, **fields) -> Container:
    standing = {
        "id": f"{service}-1", "name": service, "project": "shop", "state": State.RUNNING, "health": Health.OK,
        "image": f"{service}:1", "image_id": f"sha256:{service}", "started_at": BEGAN, "memory": 2**29, "cpus": 2.0,
    }  # fmt: skip
    return Container(**(standing | fields))


def seen(service: str, state: State = State.RUNNING, health: Health = Health.OK, **fields) -> Observed:
    standing = {"started_at": BEGAN, "restarts": 0, "containers": (container(service, state=state),)}
    return Observed(service, state, health, **(standing | fields))


class SmallEngine(Known):
    """Sees what it is told to see; `broken` makes it see nothing."""

    name = "compose"

    def __init__(self, observed: Sequence[Observed] = (), **ports: int) -> None:
        super().__init__(**ports)
        self.observed = list(observed)
        self.used = {one.service: Usage(memory=2**20, cpu_seconds=12.5) for one in observed}
        self.broken, self.killed = "", []

    def observe(self) -> list[Observed]:
        if self.broken:
            raise Unreachable(self.broken)
        return self.observed

    def usages(self, observed: Sequence[Observed]) -> dict[str, Usage]:
        running = [one.service for one in observed if one.state is State.RUNNING]
        return {name: self.used[name] for name in running if name in self.used}

    def kills(self, since: float):
        if self.broken:
            raise Unreachable(self.broken)
        yield from [one for one in self.killed if one.at >= since]

    def image_made_at(self, image_id: str) -> datetime | None:
        return MADE
