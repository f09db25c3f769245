"""What whoever is woken reads of the services: in words and lines, each fact where it is looked for."""

from __future__ import annotations

from guard_situations import INCIDENT
from small_engine import SmallEngine, container, seen

from sutazai_ops.engines import Health, State
from sutazai_ops.remediation.diagnostics import collect
from sutazai_ops.settings import Settings


class Here:
    """An installation as far as diagnostics ask for it."""

    def __init__(self, home, engine) -> None:
        self.settings, self.engine = Settings(home=home), engine


class Engine(SmallEngine):
    """Says what one uses, and writes a log."""

    def usage(self, service: str):
        return self.used.get(service)

    def logs(self, service: str, lines: int):
        return [f"{service} fell over"]


def test_what_is_collected_can_be_read_at_three_in_the_morning(tmp_path):
    """Services stood there as Python writes its objects, a thousand characters a line."""
    runs_as = container("backend", exit_code=137, out_of_memory=True, mounts={"/data": "volume"})
    engine = Engine([
        seen("db"), seen("backend", State.STOPPED, Health.FAILED, restarts=3, note="exit 137", containers=(runs_as,)),
    ])  # fmt: skip
    lines = collect(Here(tmp_path, engine), INCIDENT, 1).read_text().splitlines()
    assert "db       running, health ok, since 2026-11-26 02:00:00 UTC" in lines
    assert "backend  stopped, health failed, since 2026-11-26 02:00:00 UTC, restarts 3, exit 137" in lines
    assert {"exit_code: 137", "out_of_memory: True", "mounts: /data from volume", "backend fell over"} <= {*lines}
    assert "1 MiB of memory, 12 s of processor time so far" in lines
    assert not any("Observed(" in line or "frozenset" in line for line in lines)
