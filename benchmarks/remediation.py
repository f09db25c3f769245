"""The guard: how long one verdict takes, and a simulated day of 30 services on which something breaks all the time.

    python benchmarks/remediation.py

Needs nothing but Python; writes nothing.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "unit"))

from guard_situations import DUE, NOW, repair
from guard_traces import down, trace

from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.remediation.guard import decide
from sutazai_ops.remediation.playbooks import read_playbooks
from sutazai_ops.remediation.simulate import simulate
from sutazai_ops.remediation.situation import Limits
from sutazai_ops.settings import MonitoringSettings

SERVICES = 30
VERDICTS = 5_000
MOST_VERDICT, MOST_DAY = 0.001, 5.0


def main() -> None:
    """Measure, print what was measured, and end with an error where it is more than was meant."""
    verdict, day = _verdict(), _day()
    sys.exit(verdict > MOST_VERDICT or day > MOST_DAY)


def _verdict() -> float:
    """The slowest: every rule is asked, on a platform of 300 services that did all that the caps allow in a day."""
    services = {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(300)}
    repairs = [repair(target=f"s{n % 5}", started_at=NOW - timedelta(hours=2 + n / 2)) for n in range(40)]
    topology = replace(DUE.world.topology, depends_on={**services, "backend": ["s299"]})
    situation = replace(DUE, world=replace(DUE.world, topology=topology, repairs=repairs))
    taken = []
    for _ in range(VERDICTS):
        begun = time.perf_counter()
        decide(situation)
        taken.append(time.perf_counter() - begun)
    median = statistics.median(taken)
    print(f"a verdict, 300 services in one chain, 40 repairs: {median * 1e6:.0f} µs (at most {MOST_VERDICT * 1e6:.0f})")
    return median


def _day() -> float:
    names = [f"s{n:02d}" for n in range(SERVICES)]
    services = {name: {"needs": names[:1] if n else [], "released_lately": True} for n, name in enumerate(names)}
    kinds = [
        {"every": "10m", "lasting": "60s"},
        {"mended_by": {"restart": "60s"}},
        {"every": "1h", "lasting": "20m", "mended_by": {"restart": "for good"}},
    ]
    broken = [down(name, **{"from": f"{n}m"}, **kinds[n % 3]) for n, name in enumerate(names) if n]
    rulebook = read_rulebook(MonitoringSettings())
    made = trace(*broken, services=services)
    begun = time.perf_counter()
    outcome = simulate(made, rulebook, read_playbooks(rulebook, names), Limits())
    seconds = time.perf_counter() - begun
    print(
        f"a day of {SERVICES} services, looked at every 10 s: {seconds:.1f} s (at most {MOST_DAY:.0f}), "
        f"{len(outcome.incidents)} incidents, {len(outcome.repairs)} repairs, {len(outcome.escalations)} escalated"
    )
    return seconds


if __name__ == "__main__":
    main()
