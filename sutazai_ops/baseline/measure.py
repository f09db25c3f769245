"""Takes a baseline of an installation: asks, looks at what is used meanwhile, and writes both down.

script ──> load ──> figures ──┐
engine ──> what was used ─────┴──> ledger
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sutazai_ops import human
from sutazai_ops.baseline.figures import Figures, figures, together
from sutazai_ops.baseline.load import ask
from sutazai_ops.baseline.script import EVERYTHING, read_script
from sutazai_ops.capacity import room_of
from sutazai_ops.capacity.cost import DayUse, divide
from sutazai_ops.capacity.cost import Used as Share
from sutazai_ops.deployment.release import Releases
from sutazai_ops.engines import State
from sutazai_ops.errors import CommandFailed, OpsError, Refused
from sutazai_ops.ledger import BaselineEntry
from sutazai_ops.model import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.baseline.load import Bounds
    from sutazai_ops.baseline.script import Script
    from sutazai_ops.capacity.prices import Prices
    from sutazai_ops.engines import Capacity, Engine, Usage
    from sutazai_ops.installation import Installation
    from sutazai_ops.progress import Progress


class Used(Model):
    """What one service used while it was asked."""

    cpu_seconds: float | None
    """None where it was started anew meanwhile, or seen only once."""
    memory_bytes: int
    """The most of any moment that was looked at, about one a second."""


class Cost(Model):
    """What one request came to, at the prices of then."""

    currency: str
    own: float
    """For what services used meanwhile of the host's processors and memory."""
    whole: float
    """For all of the host in that time: at this rate nobody else pays for what stands idle."""


class Baseline(Model):
    """How an installation answered."""

    requests: dict[str, Figures]
    """By name; those of all kinds together under `all`."""
    used: dict[str, Used]
    """By service, of those that say what they use."""
    cost: Cost | None = None
    """None without prices, and where it is not known what was used."""

    @property
    def cpu_seconds_a_request(self) -> float | None:
        """Of all services together; None where nothing was asked or one of them was started anew."""
        seconds = [one.cpu_seconds for one in self.used.values()]
        count = self.requests[EVERYTHING].count
        return None if not seconds or None in seconds else sum(one or 0.0 for one in seconds) / count


def take(here: Installation, environment: str, bounds: Bounds, progress: Progress) -> tuple[BaselineEntry, Baseline]:
    """Ask, measure, write down.

    Raises:
        Refused: when this installation is another environment than the one that was named.
        BadInput: for a script that is wrong.
        OpsError: when it cannot be asked, or nothing answered at all.
    """
    if here.settings.environment != environment:
        raise Refused(
            f"this installation is {here.settings.environment}, and the load is meant for {environment}",
            remedy=f"--environment {here.settings.environment} puts {bounds.rate:g} requests a second on it",
        )
    script = read_script(here.platform, here.settings.baseline.requests)
    orders = _orders(script, here.engine)
    meter = Meter(here.engine)
    # A price that is wrong is told before anything is asked.
    prices = room_of(here, ()).prices
    began, started = datetime.now(UTC), time.monotonic()
    words = f"{bounds.rate:g} requests a second for {human.duration(bounds.seconds)}"
    with progress.step(words):
        meter.look()
        answers = ask(orders, bounds, meter.look)
        meter.look(last=True)
    if not any(one.seconds for one in answers.values()):
        raise CommandFailed("nothing was asked in the time that was given", remedy="give it more --seconds")
    kinds = {EVERYTHING: together(list(answers.values())), **answers}
    baseline = Baseline(requests={name: figures(one) for name, one in kinds.items() if one.seconds}, used=meter.used())
    if prices is not None:
        elapsed = time.monotonic() - started
        baseline = baseline.model_copy(update={"cost": cost(baseline, elapsed, here.engine.capacity(), prices)})
    release = Releases(here.settings.releases).current()
    entry = BaselineEntry(
        at=began,
        environment=environment,
        script=script.digest,
        rate=bounds.rate,
        seconds=bounds.seconds,
        release=release.number if release else None,
        detail=baseline.model_dump(mode="json"),
    )
    return here.ledger.record_baseline(entry), baseline


def cost(baseline: Baseline, seconds: float, host: Capacity, prices: Prices) -> Cost | None:
    """What a request cost, by the rules of `capacity.cost`: memory is paid by the most that was used, all the time."""
    if baseline.cpu_seconds_a_request is None:
        return None
    services = {
        name: Share(core_seconds=one.cpu_seconds or 0.0, byte_seconds=one.memory_bytes * seconds)
        for name, one in baseline.used.items()
    }
    use = DayUse(datetime.now(UTC).date(), seconds / 3600, host.cpus, host.memory, services)
    divided, count = divide(use, prices), baseline.requests[EVERYTHING].count
    own = sum(part.own for part in divided.parts.values())
    return Cost(currency=prices.currency, own=own / count, whole=divided.host / count)


def _orders(script: Script, engine: Engine) -> list[Mapping[str, Any]]:
    orders: list[Mapping[str, Any]] = []
    for one in script.requests:
        found = engine.endpoint(one.service, one.port)
        order = one.model_dump(mode="json", include={"name", "method", "body", "headers", "weight", "status"})
        orders.append(order | {"url": f"http://{found.host}:{found.port}{one.path}"})
    return orders


class Meter:
    """What services use, looked at again and again; a look that fails is one look less."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._first: dict[str, Usage] = {}
        self._last: dict[str, Usage] = {}
        self._most: dict[str, int] = {}
        self._renewed: set[str] = set()
        self._due = 0.0

    def look(self, *, last: bool = False) -> None:
        """Look once, unless that has taken so long that it would be in the way, or this is the last time."""
        started = time.monotonic()
        if started < self._due and not last:
            return
        try:
            running = [one for one in self._engine.observe() if one.state is State.RUNNING]
            uses = self._engine.usages(running)
        except OpsError:
            return
        for service, use in uses.items():
            before = self._last.get(service)
            if before and use.cpu_seconds < before.cpu_seconds:
                self._renewed.add(service)
            self._first.setdefault(service, use)
            self._last[service] = use
            self._most[service] = max(self._most.get(service, 0), use.memory)
        # Looking is work for the engine, too: never more than a tenth of the time.
        self._due = started + 10 * (time.monotonic() - started)

    def used(self) -> dict[str, Used]:
        """What was used from the first look to the last."""
        return {
            service: Used(
                cpu_seconds=self._between(service, last),
                memory_bytes=self._most[service],
            )
            for service, last in sorted(self._last.items())
        }

    def _between(self, service: str, last: Usage) -> float | None:
        first = self._first[service]
        # Seen once, it says nothing of the time between.
        return None if service in self._renewed or first is last else last.cpu_seconds - first.cpu_seconds
