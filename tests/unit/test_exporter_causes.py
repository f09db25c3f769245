"""A service fails because of what it stands on: the cause is on the board no later than what follows from it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from probe_servers import hang, page, serving
from small_engine import SmallEngine

from sutazai_ops.backups import Store
from sutazai_ops.monitoring.exporter import measuring as its_module
from sutazai_ops.monitoring.exporter.board import Board
from sutazai_ops.monitoring.exporter.measuring import Measuring, Watch
from sutazai_ops.platform import Probe, Service
from sutazai_ops.settings import MonitoringSettings, Settings

HANGS_SECONDS = 1.0
NEEDS = {"database": (), "api": ("database",), "pages": ("api",)}


class Noting(Board):
    """A board that remembers in which order services stopped being well."""

    def __init__(self) -> None:
        super().__init__()
        self.failed: list[str] = []

    def put(self, source, measured, *rest, **named) -> None:
        measured = list(measured)
        for one in measured:
            is_failed = one.name == "sutazai_probe_state" and one.labels["state"] == "failed" and one.value
            # One that is waited for may be asked twice.
            if is_failed and one.labels["service"] not in self.failed:
                self.failed.append(one.labels["service"])
        super().put(source, measured, *rest, **named)


@contextmanager
def well(tmp_path: Path):
    """Three services, each of which stands on the one before it, found well; their next turns are minutes away."""
    services = [
        Service(
            name=name, phase="core", file=Path("x"), depends_on=on,
            probes=(Probe(kind="http", port=80, timeout_seconds=HANGS_SECONDS),),
        )
        for name, on in NEEDS.items()
    ]  # fmt: skip
    settings = Settings(home=tmp_path, monitoring=MonitoringSettings(interval_seconds=300))
    with serving(page()) as port:
        engine = SmallEngine(**dict.fromkeys(NEEDS, port))
        made = Measuring(Watch(settings, engine, Store(tmp_path / "backups"), lambda: services))
        made.board = board = Noting()
        made.start()
        try:
            until = time.monotonic() + 30
            while any(not one.rounds for one in made.probes.values()):
                assert time.monotonic() < until
                time.sleep(0.05)
            # The second look of the beginning is behind us.
            time.sleep(its_module.SECOND_LOOK_SECONDS + 0.5)
            assert {one.state for one in made.probes.values()} == {"ok"}
            yield made, board, engine
        finally:
            made.stop()


def ask(made: Measuring, service: str) -> None:
    next(one for one in made.probes.values() if one.labels["service"] == service).round()


@pytest.mark.parametrize("behaves", [page(503), hang], ids=["refuses", "hangs"])
def test_whoever_is_asked_first_the_cause_is_told_before_what_stands_on_it(tmp_path, behaves):
    with well(tmp_path) as (made, board, engine), serving(behaves) as dead, serving(page(503)) as failing:
        engine.ports |= {"database": dead, "api": failing, "pages": failing}
        ask(made, "pages")
        # The one between may end on either side of the last: it has waited for its own cause too.
        assert board.failed[0] == "database"
        assert set(board.failed) == {"database", "api", "pages"}


def test_a_cause_that_was_well_a_moment_before_is_asked_again(tmp_path):
    with well(tmp_path) as (made, board, engine), serving(page(503)) as dead:
        ask(made, "database")
        engine.ports |= {"database": dead, "api": dead}
        ask(made, "api")
        assert board.failed == ["database", "api"]


def test_what_fails_by_itself_says_so_and_leaves_what_it_stands_on_well(tmp_path):
    with well(tmp_path) as (made, board, engine), serving(page(503)) as dead:
        engine.ports |= {"api": dead}
        ask(made, "api")
        assert board.failed == ["api"]


def test_a_cause_that_nobody_hears_of_holds_nothing_up_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(its_module, "CAUSE_SECONDS", 0.3)
    with well(tmp_path) as (made, board, engine), serving(hang) as stuck, serving(page(503)) as dead:
        engine.ports |= {"database": stuck, "api": dead}
        begun = time.monotonic()
        ask(made, "api")
        assert time.monotonic() - begun < HANGS_SECONDS
        assert board.failed == ["api"]
