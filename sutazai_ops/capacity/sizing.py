"""What a service should be allowed: limits and reservations out of what it used on many days, and how sure that is.

Memory that runs out ends a process, so its limit stands well above the highest that was ever measured; a processor that
runs out makes it slower, so its limit follows what it usually uses. Nothing is proposed out of a few days, nothing is
taken away on thin evidence, and a service that was killed at its limit is known to need more than was measured: how
much, nobody knows yet. Pure: facts in, advice out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from sutazai_ops import human
from sutazai_ops.capacity.facts import CPU_BAND, MEMORY_BAND, SLICE_SECONDS, SLICES, total_use
from sutazai_ops.capacity.regime import current_regime
from sutazai_ops.capacity.trend import reached, trend

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sutazai_ops.capacity.facts import ServiceDay, Use
    from sutazai_ops.capacity.regime import Regime
    from sutazai_ops.capacity.trend import Trend

N = TypeVar("N", int, float)
MIB = 1024**2
GIB = 1024**3
USABLE = SLICES // 2
"""A day of which fewer slices were measured says too little of its peak."""
FEW_DAYS = 3
SOME_DAYS = 7
"""A whole week: weekends and Mondays are not alike."""
MANY_DAYS = 14
GOOD_COVERAGE = 0.9
PEAK_HEADROOM = 1.25
"""The limit over the highest peak: at 80 % of it, below the alert at 85 % (success metrics of the plan)."""
CPU_PEAK_HEADROOM = 1.1
AFTER_A_KILL = 1.5
"""The limit over one at which it was killed; Kubernetes' autoscaler takes 1.2 and looks again within minutes, here a
roll-out lies between two looks."""
GROWTH_DAYS = 30
"""A limit has to hold for so long at the pace at which the peaks grow."""
GROWTH_MATTERS = 0.1
"""Growth of a smaller share of the peak in that time is none."""
WORTH_IT = 0.1
"""A change by a smaller share is not worth a restart."""
MOST_LOWERED = 0.5
"""Processors are at most halved at once: bursts that are shorter than five minutes are seen by nobody."""
HELD_BACK = 0.01
"""The share of the time that threads were held back, from which on it is the limit that is measured, not the need."""
AFTER_HELD_BACK = 1.5
"""The limit over one at which it was; as after a kill, one look further."""
LEAST_MEMORY = 32 * MIB
LEAST_CORES = 0.1
CORE_STEP = 0.05


class Confidence(StrEnum):
    """How sure advice is."""

    INSUFFICIENT = "insufficient data"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Kind(StrEnum):
    """What there is to say of a service."""

    NO_DATA = "no data"
    NO_MEMORY_LIMIT = "no memory limit"
    NO_CPU_LIMIT = "no processor limit"
    KILLED = "killed for want of memory"
    NEAR_LIMIT = "near its limit"
    GROWS = "grows"
    RESIZED = "resized"
    THROTTLED = "held back"
    NOT_LOWERED = "not lowered yet"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say."""

    kind: Kind
    sentence: str


@dataclass(frozen=True, slots=True)
class Size:
    """What one container may use, and what is kept for it; None where nothing is said."""

    memory: int | None = None
    """Bytes."""
    cpus: float | None = None
    reserved_memory: int | None = None
    reserved_cpus: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the advice rests on, of one container."""

    days: int = 0
    first: date | None = None
    last: date | None = None
    coverage: float = 0.0
    memory_peak: float | None = None
    memory_p95: float | None = None
    memory_p50: float | None = None
    memory_in_band: float | None = None
    """The share of the time with a limit in which 50 to 70 % of it were used; None without a limit."""
    cpu_peak: float | None = None
    """Of any five minutes, in cores."""
    cpu_p95: float | None = None
    cpu_p50: float | None = None
    cpu_in_band: float | None = None
    kills: int = 0
    throttled: float | None = None
    """Seconds that its threads were held back at the processor limit; None where nobody measured it."""
    held_back: float = 0.0
    """The share of the measured time that these are; of many threads more than 1."""
    growth: float | None = None
    """Of the daily peaks, in bytes a day, where it is sure."""

    @property
    def exceeded(self) -> float:
        """How likely a further day goes above the highest of these, if days are alike: by rank alone, 1/(n+1).

        S. S. Wilks, Annals of Mathematical Statistics 12 (1941), 91-96.
        """
        return 1 / (self.days + 1)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a service should be allowed."""

    service: str
    copies: int
    now: Size
    proposed: Size | None
    """None where the data say too little; as now where nothing is to be changed."""
    confidence: Confidence
    evidence: Evidence
    findings: tuple[Finding, ...] = ()
    because: str = ""
    """One sentence."""

    @property
    def changes(self) -> bool:
        """Whether anything is to be changed."""
        return self.proposed is not None and self.proposed != self.now

    @property
    def resizes(self) -> bool:
        """Whether a limit is, and not only what is reserved."""
        new, now = self.proposed, self.now
        return new is not None and (new.memory, new.cpus) != (now.memory, now.cpus)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a memory limit would have come to on the days that were measured."""

    service: str
    limit: int
    days: int
    days_over: int
    """On which the peak lay above it, so that the kernel would have ended a process."""
    peak: float | None
    holds: bool | None
    """None where there are too few days to say."""
    sentence: str


def advise(service: str, days: Sequence[ServiceDay], now: Size, copies: int = 1, *, keeps_memory: str = "") -> Advice:
    """What a service should be allowed.

    Args:
        service: whose.
        days: its facts, the earliest first.
        now: what one container of it is allowed at present.
        copies: how many containers it has; what was measured is all of them together.
        keeps_memory: why its memory limit is never lowered; empty where it may be.
    """
    regime = current_regime(usable(days))
    evidence, growth = _evidence(regime, copies)
    confidence = _confidence(evidence)
    findings = _findings(evidence, regime, now, growth)
    base = Advice(service, copies, now, None, confidence, evidence, tuple(findings))
    if confidence is Confidence.INSUFFICIENT:
        return replace(base, because=_too_little(days, regime))
    wanted = _wanted(evidence, regime, copies)
    proposed, held = _careful(wanted, now, confidence, keeps_memory)
    findings += [Finding(Kind.NOT_LOWERED, held)] if held else []
    return replace(base, proposed=proposed, findings=tuple(findings), because=_because(evidence, proposed == now, held))


def judge(service: str, days: Sequence[ServiceDay], limit: int, copies: int = 1) -> Judgement:
    """What a memory limit for one container would have come to, had the service used what it used.

    A service that was killed at a limit of its own is counted by what it had reached until then.
    """
    counted = current_regime(usable(days)).days
    peaks = [one.memory.spread.peak / copies for one in counted]
    killed_at = max((one.memory.limit or 0.0 for one in counted if one.kills), default=0.0) / copies
    over = sum(
        peak > limit or (bool(one.kills) and limit <= killed_at) for peak, one in zip(peaks, counted, strict=True)
    )
    peak = max(peaks, default=None)
    said = Judgement(service, limit, len(peaks), over, peak, None, "")
    size = human.memory(limit)
    if peak is None or (len(peaks) < FEW_DAYS and not over):
        return replace(said, sentence=f"{human.count(len(peaks), 'day')} of data say nothing of {size}")
    if over:
        words = f"{size} would have ended it on {over} of {human.count(len(peaks), 'day')}: it used {_memory(peak)}"
        return replace(said, holds=False, sentence=words)
    if killed_at:
        words = f"it was killed at {_memory(killed_at)}, so whether {size} are enough was never measured"
        return replace(said, sentence=words)
    line = _growth(counted, copies)
    ahead = reached(line, limit, float(counted[-1].day.toordinal()), GROWTH_DAYS)[1] if line else None
    if ahead is not None:
        words = f"so far it used at most {_memory(peak)}, and it grows: {size} are reached {_in_days(ahead)}"
        return replace(said, holds=False, sentence=words)
    tight = "" if peak * PEAK_HEADROOM <= limit else ", with little to spare"
    words = f"{size} would have held: at most {_memory(peak)} were used, {peak / limit * 100:.0f} % of it{tight}"
    return replace(said, holds=True, sentence=words)


def usable(days: Sequence[ServiceDay]) -> list[ServiceDay]:
    """The days of which enough was measured."""
    return [one for one in days if one.memory.measured >= USABLE]


def _evidence(regime: Regime, copies: int) -> tuple[Evidence, Trend | None]:
    days = regime.days
    if not days:
        return Evidence(), None
    memory, cpu = total_use([one.memory for one in days]), total_use([one.cpu for one in days])
    peaks = [one.memory.spread.peak / copies for one in days]
    line = _growth(days, copies)
    throttled = [one.throttled for one in days if one.throttled is not None]
    found = Evidence(
        days=len(days),
        first=days[0].day,
        last=days[-1].day,
        coverage=sum(one.coverage for one in days) / len(days),
        memory_peak=max(peaks),
        memory_p95=_each(memory, 0.95, copies),
        memory_p50=_each(memory, 0.5, copies),
        memory_in_band=_in_band(memory),
        cpu_peak=cpu.spread.peak / copies if cpu.measured else None,
        cpu_p95=_each(cpu, 0.95, copies),
        cpu_p50=_each(cpu, 0.5, copies),
        cpu_in_band=_in_band(cpu),
        kills=sum(one.kills for one in days),
        throttled=sum(throttled) if throttled else None,
        held_back=sum(throttled) / copies / (cpu.measured * SLICE_SECONDS) if throttled and cpu.measured else 0.0,
        growth=line.slope.likely if line else None,
    )
    return found, line


def _growth(days: Sequence[ServiceDay], copies: int) -> Trend | None:
    """The line of the daily peaks of one container, where they grow for sure and by so much that it matters."""
    peaks = [one.memory.spread.peak / copies for one in days]
    line = trend([float(one.day.toordinal()) for one in days], peaks)
    if line is None or not line.rises or line.slope.likely * GROWTH_DAYS <= GROWTH_MATTERS * max(peaks):
        return None
    return line


def _each(use: Use, share: float, copies: int) -> float | None:
    found = use.spread.quantile(share)
    return None if found is None else found / copies


def _in_band(use: Use) -> float | None:
    return use.in_band / use.limited if use.limited else None


def _confidence(evidence: Evidence) -> Confidence:
    if evidence.days < FEW_DAYS:
        return Confidence.INSUFFICIENT
    if evidence.days < SOME_DAYS or evidence.kills:
        return Confidence.LOW
    if evidence.days < MANY_DAYS or evidence.coverage < GOOD_COVERAGE or evidence.growth:
        return Confidence.MEDIUM
    return Confidence.HIGH


def _wanted(evidence: Evidence, regime: Regime, copies: int) -> Size:
    """What the evidence alone asks for."""
    peak, p95 = evidence.memory_peak or 0.0, evidence.memory_p95 or 0.0
    memory = max(peak * PEAK_HEADROOM, p95 / MEMORY_BAND.high) + (evidence.growth or 0.0) * GROWTH_DAYS
    killed_at = max((one.memory.limit or 0.0 for one in regime.days if one.kills), default=0.0) / copies
    limit = _memory_up(max(memory, killed_at * AFTER_A_KILL))
    if evidence.cpu_p95 is None or evidence.cpu_peak is None:
        return Size(limit, None, min(limit, _memory_up(p95)), None)
    held_at = max((one.cpu.limit or 0.0 for one in regime.days), default=0.0) / copies
    cut_off = held_at * AFTER_HELD_BACK if evidence.held_back >= HELD_BACK else 0.0
    cores = _cores_up(max(evidence.cpu_p95 / CPU_BAND.high, evidence.cpu_peak * CPU_PEAK_HEADROOM, cut_off))
    reserved = min(cores, _cores_up(evidence.cpu_p50 or 0.0, CORE_STEP))
    return Size(limit, cores, min(limit, _memory_up(p95)), reserved)


def _careful(wanted: Size, now: Size, confidence: Confidence, keeps_memory: str) -> tuple[Size, str]:
    """What is proposed of what is wanted, and what is held back and why."""
    too_few = "more days have to say so first" if confidence is Confidence.LOW else ""
    memory, cpus = _kept(wanted.memory, now.memory), _kept(wanted.cpus, now.cpus)
    held = []
    why = keeps_memory or too_few
    if why and memory and now.memory and memory < now.memory:
        held.append(f"memory could go down to {human.memory(memory)}, but {why}")
        memory = now.memory
    if too_few and cpus and now.cpus and cpus < now.cpus:
        held.append(f"processors could go down to {cpus:.2f}, but {too_few}")
        cpus = now.cpus
    if cpus and now.cpus:
        cpus = max(cpus, _cores_up(now.cpus * MOST_LOWERED))
    reserved_memory = _kept(wanted.reserved_memory, now.reserved_memory)
    reserved_cpus = _kept(wanted.reserved_cpus, now.reserved_cpus)
    if reserved_memory and memory:
        reserved_memory = min(reserved_memory, memory)
    if reserved_cpus and cpus:
        reserved_cpus = min(reserved_cpus, cpus)
    return Size(memory, cpus, reserved_memory, reserved_cpus), "; ".join(held)


def _kept(wanted: N | None, now: N | None) -> N | None:
    """What is there already, where the other is hardly different."""
    return now if wanted is None or (now and _is_near(wanted, now)) else wanted


def _is_near(one: float, other: float) -> bool:
    return abs(one - other) < WORTH_IT * other


def _findings(evidence: Evidence, regime: Regime, now: Size, growth: Trend | None) -> list[Finding]:
    found = []
    peak = evidence.memory_peak
    if now.memory is None:
        found.append(Finding(Kind.NO_MEMORY_LIMIT, "it has no memory limit: a leak in it takes the whole host"))
    if now.cpus is None:
        found.append(Finding(Kind.NO_CPU_LIMIT, "it has no processor limit: it may slow all others down"))
    if evidence.kills:
        words = f"it was killed {_times(evidence.kills)} for want of memory, so what it needs was never measured"
        found.append(Finding(Kind.KILLED, words))
    if now.memory and peak and peak > 0.85 * now.memory and not evidence.kills:
        words = f"its peak of {_memory(peak)} is {peak / now.memory * 100:.0f} % of its limit"
        found.append(Finding(Kind.NEAR_LIMIT, words))
    if growth and evidence.last:
        found.append(Finding(Kind.GROWS, _growth_words(growth, now, evidence.last)))
    if regime.since and regime.since.now is not None:
        one = regime.since
        words = (
            f"since {one.day}, when its limit went from {_limit(one.before)} to {_limit(one.after)}, it peaks at"
            f" {_memory(one.now or 0)} a day and no longer at {_memory(one.was or 0)}: days before do not count"
        )
        found.append(Finding(Kind.RESIZED, words))
    if evidence.throttled:
        words = f"it was held back at its processor limit for {human.duration(evidence.throttled)}"
        found.append(Finding(Kind.THROTTLED, words))
    return found


def _growth_words(growth: Trend, now: Size, last: date) -> str:
    pace = f"{_memory(growth.slope.low)} to {_memory(growth.slope.high)}"
    words = f"its daily peak grows by {pace} a day: a leak, or a cache that still fills"
    if now.memory is None:
        return words
    _, likely, _ = reached(growth, now.memory, float(last.toordinal()), 365)
    if likely is None:
        return words
    return f"{words}; its limit is reached {_in_days(likely)}"


def _in_days(ahead: float) -> str:
    return f"in about {human.count(round(ahead), 'day')}" if round(ahead) else "by now"


def _too_little(days: Sequence[ServiceDay], regime: Regime) -> str:
    if regime.since and not regime.days:
        return f"it was resized on {regime.since.day}, and no whole day has been measured since"
    if not any(one.memory.measured for one in days):
        return "nothing was measured of it"
    return f"{human.count(len(regime.days), 'day')} of data, and {FEW_DAYS} are the fewest that say anything"


def _because(evidence: Evidence, is_kept: bool, held: str) -> str:  # noqa: FBT001  (a fact, no switch)
    rest = f"its peak in {human.count(evidence.days, 'day')} was {_memory(evidence.memory_peak or 0)}"
    if evidence.kills:
        return f"it was killed {_times(evidence.kills)}; {rest}"
    if is_kept:
        return rest if held else f"{rest}: what it has suits it"
    usual = f", 95 % of the time it used no more than {_memory(evidence.memory_p95 or 0)}"
    cores = "" if evidence.cpu_p95 is None else f" and {evidence.cpu_p95:.2f} cores"
    return rest + usual + cores


def _memory_up(count: float) -> int:
    """Rounded up to what a person would write."""
    step = 16 * MIB if count <= 512 * MIB else 64 * MIB if count <= 4 * GIB else 256 * MIB
    return max(LEAST_MEMORY, math.ceil(count / step) * step)


def _cores_up(number: float, least: float = LEAST_CORES) -> float:
    return max(least, round(math.ceil(round(number / CORE_STEP, 6)) * CORE_STEP, 2))


def _memory(count: float) -> str:
    return human.memory(round(count))


def _limit(count: float | None) -> str:
    return "none" if count is None else _memory(count)


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
