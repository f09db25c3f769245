"""Traces that tests and the benchmark share."""

from __future__ import annotations

from sutazai_ops.remediation.trace import Trace

TEN = {
    "postgres": {"holds_state": True, "backup_age": "7h"},
    "redis": {"holds_state": True},
    "backend": {"needs": ["postgres", "redis"], "released_lately": True},
    "edge": {"needs": ["backend"]},
    **{f"agent-{n}": {"needs": ["backend"]} for n in range(6)},
}


def trace(*broken, lasts="24h", services=TEN, **more) -> Trace:
    return Trace.model_validate({"lasts": lasts, "services": services, "broken": broken, **more})


def down(service, **more) -> dict:
    return {"threshold": "service_down", "service": service, **more}


CRASH_LOOP = trace(
    down("backend", **{"from": "5m"}, mended_by={"restart": "60s", "recreate": "60s", "roll-back": "60s"})
)
"""Bad again a minute after every start."""
FLAP = trace(down("backend", **{"from": "5m"}, every="10m", lasting="60s"))
"""Bad for a minute every ten minutes, and well again by itself."""
COMES_BACK = trace(
    down("backend", **{"from": "5m"}, mended_by={"restart": "20m", "recreate": "20m", "roll-back": "20m"})
)
"""Every repair helps, for longer than an incident needs to end."""
