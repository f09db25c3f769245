"""Makes up months whose truth is known, and writes them into a real Prometheus.

A month is simulated in ticks of five seconds: how many requests users made, how many of them failed or were never
answered, what the process counted and lost when it died, what the exporter's probe saw, and when Prometheus itself was
not there to look. Only what Prometheus would have scraped is written; the truth stays here.

Traffic follows the clock (a day's two peaks, quieter nights and weekends, each day busier or quieter by chance), and
what goes wrong is drawn by the seed: partial errors at peak, everything failing at night, a dead process, restarts,
flapping, slow answers, a dead exporter, a dead Prometheus.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path

import numpy as np

TICK = 5
DAY_TICKS = 86_400 // TICK
HOUR_TICKS = 3600 // TICK
PROBE_TICKS = 3
"""The exporter asks every 15 seconds and shows its last answer until the next."""
BASE_ERRORS = 0.0002
EDGES = ("0.1", "0.2", "0.5", "+Inf")
USUAL_SHARES = (0.82, 0.965, 0.995)
"""How many answers come within each edge when nothing is slow."""
SLOW_SHARES = (0.2, 0.5, 0.9)

SCHEDULE = {
    "errors-at-peak": ((9, 15), (45, 180)),
    "failing-at-night": ((0, 4), (30, 150)),
    "dead": ((8, 18), (10, 70)),
    "dead-at-night": ((0, 4), (20, 120)),
    "restarts": ((7, 20), (0.3, 1.5)),
    "flapping": ((8, 17), (0.3, 2)),
    "slow": ((8, 14), (60, 400)),
    "busy": ((9, 15), (45, 180)),
    "exporter-dead": ((0, 20), (30, 240)),
    # Past midnight now and then.
    "prometheus-dead": ((0, 23), (20, 300)),
    "prometheus-dead-for-days": ((0, 23), (2000, 6000)),
}
"""What can go wrong: between which hours it begins, and how many minutes it lasts each time."""
TIMES = {"restarts": (3, 9), "flapping": (6, 20)}
"""What happens several times on its day."""
DRAWN = tuple(kind for kind in SCHEDULE if kind != "prometheus-dead-for-days")


@dataclass(frozen=True)
class Incident:
    """Something that goes wrong; in ticks from the beginning."""

    kind: str
    start: int
    end: int
    share: float | None = None
    """Of requests that fail, where it is not drawn."""


@dataclass(frozen=True)
class Truth:
    """What nobody who measures can know for sure."""

    success: float
    """Of all requests that users made, those that were answered well."""
    up: float
    """Of all time, that in which the service was there and well."""
    fast: float
    """Of all answers, those within 0.2 s."""
    coverage: float
    """Of all time, that in which Prometheus was there."""
    probed: float
    """Of all time, that in which the exporter was there, too."""
    requests: int
    answered: int


@dataclass
class Month:
    """One service's month."""

    service: str
    first: date
    days: int
    incidents: Sequence[Incident]
    truth: Truth
    scrape: int
    columns: dict[str, tuple[np.ndarray, np.ndarray]] = field(repr=False, default_factory=dict)
    """By series: when it was scraped (seconds since the epoch), and its values."""

    def lines(self) -> Iterator[str]:
        """The month in OpenMetrics text, series by series."""
        for series, (moments, values) in self.columns.items():
            yield from (
                f"{series} {value} {moment}\n" for moment, value in zip(moments.tolist(), values.tolist(), strict=True)
            )


def make_month(
    seed: int,
    first: date,
    days: int,
    *,
    service: str = "",
    scrape: int = 15,
    kinds: Sequence[str] | None = None,
    per_second: float | None = None,
    hidden: bool = False,
    incidents: Sequence[Incident] | None = None,
) -> Month:
    """A month drawn from a seed.

    Args:
        seed: of everything.
        first: its first day, UTC.
        days: how many.
        service: its name; `month-<seed>` if left out.
        scrape: seconds between two scrapes; a multiple of five.
        kinds: what goes wrong, each once; drawn where left out.
        per_second: requests at an average moment; drawn where left out.
        hidden: whether all else that goes wrong does so while Prometheus is dead.
        incidents: exactly what goes wrong, where that is not to be drawn.
    """
    rng = np.random.default_rng(seed)
    world = _World(_traffic(rng, first, days, per_second or float(rng.uniform(2, 6))))
    if incidents is None:
        incidents = _incidents(rng, days, kinds, hidden=hidden)
    for one in incidents:
        world.suffer(one, rng)
    happened = _happen(world, rng)
    month = Month(service or f"month-{seed:02d}", first, days, incidents, happened.truth(world), scrape)
    month.columns = _scraped(month, world, happened, rng, stops=seed % 2 == 0)
    return month


class _World:
    """How things stand at each tick."""

    def __init__(self, rate: np.ndarray) -> None:
        self.ticks = len(rate)
        self.rate = rate
        self.errors = np.full(self.ticks, BASE_ERRORS)
        self.probe_fails = np.zeros(self.ticks)
        self.alive, self.exporter, self.prometheus = (np.ones(self.ticks, bool) for _ in range(3))
        self.slow = np.zeros(self.ticks, bool)

    def suffer(self, incident: Incident, rng: np.random.Generator) -> None:
        part = slice(incident.start, incident.end)
        if incident.kind == "errors-at-peak":
            self.errors[part] = rng.uniform(0.005, 0.04) if incident.share is None else incident.share
        elif incident.kind == "failing-at-night":
            # Its own health check fails with the rest, as often.
            self.errors[part] = self.probe_fails[part] = rng.uniform(0.4, 1.0)
        elif incident.kind == "slow":
            self.slow[part] = True
        elif incident.kind == "busy":
            self.rate[part] *= 3
        elif incident.kind == "exporter-dead":
            self.exporter[part] = False
        elif incident.kind.startswith("prometheus-dead"):
            self.prometheus[part] = False
        else:
            self.alive[part] = False


@dataclass(frozen=True)
class _Happened:
    """What users did and got at each tick."""

    made: np.ndarray
    answered: np.ndarray
    failed: np.ndarray
    within: Sequence[np.ndarray]
    """Answers within each edge."""

    def truth(self, world: _World) -> Truth:
        return Truth(
            success=float((self.answered - self.failed).sum() / self.made.sum()),
            up=float(np.where(world.alive, 1 - world.probe_fails, 0.0).mean()),
            fast=float(self.within[1].sum() / self.answered.sum()),
            coverage=float(world.prometheus.mean()),
            probed=float((world.prometheus & world.exporter).mean()),
            requests=int(self.made.sum()),
            answered=int(self.answered.sum()),
        )


def _happen(world: _World, rng: np.random.Generator) -> _Happened:
    made = rng.poisson(world.rate * TICK)
    answered = np.where(world.alive, made, 0)
    failed = rng.binomial(answered, world.errors)
    shares = np.where(world.slow[:, None], SLOW_SHARES, USUAL_SHARES)
    within = [rng.binomial(answered, shares[:, i]) for i in range(len(USUAL_SHARES))]
    # Whatever is within one edge is within the next.
    return _Happened(made, answered, failed, list(np.maximum.accumulate([*within, answered])))


def _scraped(
    month: Month, world: _World, happened: _Happened, rng: np.random.Generator, *, stops: bool
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What Prometheus has of it.

    Where a dead process `stops`, as its container does, it has no address any more that the probe could ask, and the
    engine says that it does not run; else its probe is refused.
    """
    # The exporter shows its last answer until the next.
    asked = np.arange(world.ticks) // PROBE_TICKS * PROBE_TICKS
    probe_ok = (world.alive & (rng.random(world.ticks) >= world.probe_fails))[asked]
    every = month.scrape // TICK
    at = np.arange(int(rng.integers(0, every)), world.ticks, every)
    at = at[world.prometheus[at]]
    moments = at * TICK + int(datetime.combine(month.first, time(), UTC).timestamp())
    labels = f'job="{month.service}",instance="{month.service}:8000",service="{month.service}"'
    route = f'{labels},method="GET",endpoint="/"'
    counted = {
        f'http_requests_total{{{route},status="200"}}': happened.answered - happened.failed,
        f'http_requests_total{{{route},status="500"}}': happened.failed,
        f"http_request_duration_seconds_count{{{route}}}": happened.answered,
    }
    for edge, inside in zip(EDGES, happened.within, strict=True):
        counted[f'http_request_duration_seconds_bucket{{{route},le="{edge}"}}'] = inside
    columns = {f"up{{{labels}}}": (moments, world.alive[at].astype(int))}
    lives = np.cumsum(np.concatenate([[False], world.alive[1:] & ~world.alive[:-1]]))
    for series, amounts in counted.items():
        totals = _since_start_of_process(np.cumsum(amounts), lives)[at]
        # A counter with labels is there from its first event on, and gone with its process.
        there = world.alive[at] & (totals > 0)
        columns[series] = (moments[there], totals[there])
    shown = world.exporter[at]
    gone = (~world.alive[asked] if stops else np.zeros(world.ticks, bool))[at]
    probe = {"ok": probe_ok[at], "failed": ~probe_ok[at] & ~gone, "unknown": gone}
    own = f'job="exporter",instance="exporter:9177",service="{month.service}"'
    for state, holds in probe.items():
        series = f'sutazai_probe_state{{{own},probe="http",state="{state}"}}'
        columns[series] = (moments[shown], holds[shown].astype(int))
    for state, holds in {"running": ~gone, "stopped": gone}.items():
        series = f'sutazai_service_state{{{own},phase="core",state="{state}"}}'
        columns[series] = (moments[shown], holds[shown].astype(int))
    return columns


def write_blocks(months: Sequence[Month], folder: Path, promtool: Path) -> None:
    """Write months as blocks of a time series database, into the data folder of a Prometheus that does not run yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, month in enumerate(months):
        text = folder.parent / f"month-{number}.om"
        with text.open("w", encoding="utf-8") as file:
            file.writelines(month.lines())
            file.write("# EOF\n")
        made = folder.parent / f"blocks-{number}"
        # Without the hidden flag it reads the whole file again for every two hours of it.
        subprocess.run(
            [promtool, "tsdb", "create-blocks-from", "--max-block-duration=744h", "openmetrics", "-q", text, made],
            check=True,
            capture_output=True,
        )
        text.unlink()
        for block in made.iterdir():
            shutil.move(block, folder / block.name)
        made.rmdir()


def _traffic(rng: np.random.Generator, first: date, days: int, per_second: float) -> np.ndarray:
    """Requests a second at each tick."""
    hour = np.arange(DAY_TICKS) / HOUR_TICKS
    shape = 0.25 + np.exp(-(((hour - 10.5) / 2.6) ** 2)) * 1.9 + np.exp(-(((hour - 15.5) / 2.8) ** 2)) * 1.7
    weekend = 0.35 + np.exp(-(((hour - 14) / 5) ** 2)) * 0.8
    rates = []
    for number in range(days):
        is_weekend = (first.weekday() + number) % 7 >= 5
        level = rng.lognormal(0, 0.12)
        wobble = np.repeat(rng.lognormal(0, 0.06, 24), HOUR_TICKS)
        rates.append((weekend if is_weekend else shape) / shape.mean() * level * wobble)
    return np.concatenate(rates) * per_second


def _incidents(rng: np.random.Generator, days: int, kinds: Sequence[str] | None, *, hidden: bool) -> list[Incident]:
    if kinds is None:
        kinds = [str(kind) for kind in rng.choice(DRAWN, size=int(rng.integers(2, 7)), replace=False)]
    found: list[Incident] = []
    # Each on days of its own: what happens while Prometheus is dead nobody can know; a test of its own says so.
    free = rng.permutation(np.arange(1, days)).tolist()
    for kind in sorted(kinds, key=lambda one: not one.startswith("prometheus-dead")):
        happened = list(_happening(rng, kind, free.pop() * DAY_TICKS, days * DAY_TICKS))
        taken = {day for one in happened for day in range(one.start // DAY_TICKS, one.end // DAY_TICKS + 1)}
        free = sorted(taken)[1:-1] if hidden else [day for day in free if day not in taken]
        found.extend(happened)
    return sorted(found, key=lambda one: one.start)


def _happening(rng: np.random.Generator, kind: str, midnight: int, end: int) -> Iterator[Incident]:
    hours, minutes = SCHEDULE[kind]
    hour = rng.uniform(*hours)
    for number in range(int(rng.integers(*TIMES[kind])) if kind in TIMES else 1):
        if kind == "restarts":
            hour = rng.uniform(*hours)
        start = midnight + int((hour + number * 0.08) * HOUR_TICKS)
        yield Incident(kind, start, min(end, start + max(1, int(rng.uniform(*minutes) * 60 / TICK))))


def _since_start_of_process(totals: np.ndarray, life: np.ndarray) -> np.ndarray:
    """Counters as the process that lives now has counted."""
    starts = np.flatnonzero(np.concatenate([[True], life[1:] != life[:-1]]))
    before = np.concatenate([[0], totals])[starts]
    return totals - before[life - life[0]]
