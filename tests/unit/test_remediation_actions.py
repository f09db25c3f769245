"""Actions that need no server of ours: unloading a model, making room."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from ollama_server import Ollama
from probe_servers import service, serving
from small_engine import SmallEngine

from sutazai_ops.errors import OpsError, Refused
from sutazai_ops.ledger import IncidentEntry
from sutazai_ops.platform import Probe, read_platform
from sutazai_ops.remediation.actions.disk import OLD_SECONDS, free_disk, remove_logs
from sutazai_ops.remediation.actions.models import unload_model
from sutazai_ops.remediation.actions.services import HANG_UP, reload
from sutazai_ops.settings import PACKAGED_PLATFORM

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)
OLLAMA = service("ollama", probes=[Probe(kind="ollama")])


def incident(target: str) -> IncidentEntry:
    return IncidentEntry(1, target, "s", "s", "page", "", [{"threshold": "t", "labels": {}}], NOW, NOW)


def in_minutes(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


def here(port: int, **more):
    return SimpleNamespace(engine=SmallEngine(ollama=port), platform=[OLLAMA], **more)


def test_the_model_that_would_leave_soonest_is_unloaded_and_one_that_was_told_to_stay_never():
    ollama = Ollama({"stays": "2318-01-01T00:00:00Z", "later": in_minutes(9), "soon": in_minutes(2)})
    with serving(ollama) as port:
        assert unload_model(here(port), incident("host")) == "ollama took the model soon out of memory"
    assert ollama.asked == [{"path": "/api/generate", "model": "soon", "keep_alive": 0, "stream": False}]


@pytest.mark.parametrize("loaded", [{}, {"stays": "2318-01-01T00:00:00Z"}])
def test_where_no_model_may_leave_nothing_is_done(loaded):
    ollama = Ollama(loaded)
    with serving(ollama) as port, pytest.raises(Refused):
        unload_model(here(port), incident("ollama"))
    assert ollama.asked == []


def test_a_model_that_is_not_unloaded_is_an_error():
    ollama = Ollama({"soon": in_minutes(2)})
    ollama.status = 500
    with serving(ollama) as port, pytest.raises(OpsError, match="answers 500"):
        unload_model(here(port), incident("ollama"))


def test_of_logs_only_rotated_ones_of_a_week_go(tmp_path):
    now = NOW.timestamp()
    for name, age in {
        "sutazai-ops.log.1": OLD_SECONDS + 60,
        "sutazai-ops.log.2": 60,
        "sutazai-ops.log": OLD_SECONDS * 2,
        "notes.txt": OLD_SECONDS * 2,
    }.items():
        (tmp_path / name).write_text("x" * 10)
        os.utime(tmp_path / name, (now - age, now - age))
    assert remove_logs(tmp_path, now) == 10
    assert sorted(file.name for file in tmp_path.iterdir()) == ["notes.txt", "sutazai-ops.log", "sutazai-ops.log.2"]
    assert remove_logs(tmp_path / "none", now) == 0


def test_making_no_room_is_said(tmp_path):
    engine = SimpleNamespace(clean_up=lambda: 0)
    room = SimpleNamespace(engine=engine, settings=SimpleNamespace(logs=tmp_path))
    with pytest.raises(Refused, match="nothing that may be removed"):
        free_disk(room, incident("host"))
    room.engine = SimpleNamespace(clean_up=lambda: 9_400_000)
    assert free_disk(room, incident("host")) == "9.4 MB were made room"


class Runs:
    """An engine that remembers what is run inside its services."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, tuple[str, ...]]] = []

    def execute(self, name: str, argv) -> str:
        self.ran.append((name, tuple(argv)))
        return ""


def test_what_can_reads_its_configuration_again_and_nothing_is_run_in_what_cannot():
    platform = read_platform(PACKAGED_PLATFORM)
    packaged = SimpleNamespace(engine=Runs(), platform=platform)
    assert reload(packaged, incident("edge")) == "edge has read its configuration again"
    reload(packaged, incident("prometheus"))
    assert packaged.engine.ran == [("edge", platform.service("edge").proxy.reload), ("prometheus", HANG_UP)]
    with pytest.raises(Refused, match="backend has no way"):
        reload(packaged, incident("backend"))
    assert len(packaged.engine.ran) == 2
