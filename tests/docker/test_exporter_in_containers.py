"""What the exporter makes of a real Docker engine: its figures, kills for want of memory, an engine that is gone."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import yaml
from projects import Project, eventually

from sutazai_ops.backups.store import Store
from sutazai_ops.engines.compose.engine import ComposeEngine
from sutazai_ops.monitoring.exporter.exporter import Exporter
from sutazai_ops.monitoring.exporter.measuring import Watch
from sutazai_ops.platform import read_platform
from sutazai_ops.settings import Settings

pytestmark = pytest.mark.docker

EAT = "x = []\nwhile True: x.append(b'x' * 1_000_000 + bytes([len(x) % 256]))"
WEB = {"probes": [{"kind": "http", "port": 8080, "path": "/hostname", "timeout_seconds": 1}]}
LIMITS = {"resources": {"limits": {"cpus": "0.50", "memory": "64M"}}}


class Watched:
    """A small platform on the real engine, and its exporter, which is measured by hand."""

    def __init__(self, project: Project, folder, image: str) -> None:
        self.project, self.folder = project, folder / "platform"
        self.folder.mkdir()
        serve = {"image": image, "command": ["busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"], "deploy": LIMITS}
        sleeps = {"image": image, "command": ["sleep", "86400"], "init": True, "stop_grace_period": "1s"}
        self.services = {
            "web": {**serve, "stop_grace_period": "1s", "x-sutazai": WEB},
            "eater": {**sleeps, "restart": "always", "mem_limit": "64m", "memswap_limit": "64m"},
        }
        project.file = self.folder / "core.yaml"
        self.write()
        project.compose("up", "-d")
        self.settings = Settings(home=folder / "home", platform=self.folder, engine="compose")
        self.open()

    def write(self) -> None:
        self.project.file.write_text(yaml.safe_dump({"name": self.project.name, "services": self.services}))

    def open(self) -> None:
        platform = read_platform(self.folder)
        self.engine = ComposeEngine(self.settings, platform)
        store = Store(self.settings.backup_store)
        self.exporter = Exporter(Watch(self.settings, self.engine, store, lambda: list(platform)))
        self.exporter.measuring.follow()

    def measure(self) -> None:
        measuring = self.exporter.measuring
        for one in (*measuring.collectors.values(), *measuring.probes.values()):
            one.round()

    def figure(self, name: str, **labels: str) -> float | None:
        found = [
            sample.value
            for family in self.exporter.collect()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return found[0] if found else None

    def state(self) -> str:
        words = ("ok", "failed", "unknown")
        return next(one for one in words if self.figure("sutazai_probe_state", service="web", state=one))

    def container(self, service: str):
        return next(one for one in self.project.containers() if f"-{service}-" in one.name)


@pytest.fixture
def watched(project: Project, tmp_path, image) -> Watched:
    return Watched(project, tmp_path, image("servers"))


def test_the_figures_are_those_of_docker_itself(watched):
    watched.measure()
    inspected = watched.container("web").attrs
    assert watched.figure("sutazai_service_state", service="web", state="running") == 1
    assert watched.figure("sutazai_service_memory_limit_bytes", service="web") == 64 * 1024**2
    assert watched.figure("sutazai_service_cpu_limit_cores", service="web") == 0.5
    assert watched.figure("sutazai_service_restarts_total", service="web") == inspected["RestartCount"] == 0
    started = watched.figure("sutazai_service_started_timestamp_seconds", service="web")
    assert time.time() - 600 < started < time.time()
    made = watched.figure("sutazai_service_image_created_timestamp_seconds", service="web")
    assert made < started
    stats = watched.container("web").stats(stream=False)
    memory = stats["memory_stats"]
    details = memory["stats"]
    inactive = details.get("total_inactive_file", details.get("inactive_file", 0))
    used = watched.figure("sutazai_service_memory_working_set_bytes", service="web")
    assert used == pytest.approx(memory["usage"] - inactive, abs=1024**2)
    seconds = stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
    assert watched.figure("sutazai_service_cpu_seconds_total", service="web") == pytest.approx(seconds, abs=1)


def test_processor_time_that_is_burnt_is_counted(watched):
    watched.measure()
    before = watched.figure("sutazai_service_cpu_seconds_total", service="eater")
    watched.container("eater").exec_run(["timeout", "2", "sh", "-c", "while :; do :; done"])
    watched.measure()
    assert watched.figure("sutazai_service_cpu_seconds_total", service="eater") - before > 0.3


def test_a_kill_for_want_of_memory_is_counted_though_it_is_started_again_at_once(watched):
    watched.exporter.start()
    try:
        eventually(lambda: watched.figure("sutazai_service_oom_kills_total", service="eater") == 0)
        watched.container("eater").exec_run(["python3", "-c", EAT])
        eventually(lambda: watched.figure("sutazai_service_oom_kills_total", service="eater") >= 1)
        assert watched.figure("sutazai_service_oom_kills_total", service="web") == 0
    finally:
        watched.exporter.stop()


def test_how_often_a_container_came_back_is_docker_s_own_count(watched):
    watched.services["eater"]["command"] = ["sh", "-c", "sleep 1; exit 1"]
    watched.write()
    watched.project.compose("up", "-d")
    eventually(lambda: watched.container("eater").attrs["RestartCount"] >= 2)
    watched.measure()
    counted = watched.figure("sutazai_service_restarts_total", service="eater")
    assert 2 <= counted <= watched.container("eater").attrs["RestartCount"]


def test_a_service_is_asked_where_it_is_now_though_it_was_made_anew(watched):
    watched.measure()
    assert watched.state() == "ok"
    watched.container("web").kill()
    watched.measure()
    assert watched.state() == "unknown"
    assert watched.figure("sutazai_service_state", service="web", state="stopped") == 1
    watched.project.compose("up", "-d", "--force-recreate", "web")

    def is_ok() -> bool:
        # It answers a moment after Compose says that it is started.
        watched.measure()
        return watched.state() == "ok"

    eventually(is_ok)


def test_a_service_that_hangs_is_failed(watched):
    watched.measure()
    watched.container("web").pause()
    try:
        watched.measure()
        assert watched.state() == "failed"
    finally:
        watched.container("web").unpause()


def test_a_look_at_all_services_is_one_listing(watched, monkeypatch):
    calls: list[str] = []
    client = watched.engine._docker

    def counted(name: str):
        real = getattr(client, name)

        def call(*arguments, **options):
            calls.append(name)
            return real(*arguments, **options)

        return call

    for name in ("containers", "inspect_container", "stats"):
        monkeypatch.setattr(client, name, counted(name))
    watched.exporter.measuring.collectors["engine"].round()
    assert calls.count("containers") == 1
    assert calls.count("inspect_container") == calls.count("stats") == 2


class Door:
    """A way to the engine's socket that can be shut, as a proxy's or a daemon's end does."""

    def __init__(self, path: str) -> None:
        self._path, self._open = path, True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self) -> None:
        self._open = False
        for one in self._connections:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        self._open = True

    def close(self) -> None:
        self.shut()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self._open:
                    client.close()
                    continue
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(self._path)
                self._connections += [client, engine]
                for source, target in ((client, engine), (engine, client)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                target.sendall(content)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def door(monkeypatch) -> Iterator[Door]:
    given = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not given.startswith("unix://"):
        pytest.skip("the engine is not reached by a socket here")
    one = Door(given.removeprefix("unix://"))
    monkeypatch.setenv("DOCKER_HOST", one.address)
    try:
        yield one
    finally:
        one.close()


def test_an_engine_that_is_gone_makes_everything_unknown_and_the_exporter_blind(watched, monkeypatch):
    with door(monkeypatch) as way:
        watched.open()
        watched.measure()
        assert (watched.state(), watched.exporter.ready().body) == ("ok", "ready\n")
        way.shut()
        watched.measure()
        assert watched.state() == "unknown"
        assert watched.figure("sutazai_service_state", service="web", state="unknown") == 1
        assert watched.figure("sutazai_service_cpu_seconds_total", service="web") is None
        engine = watched.exporter.measuring.collectors["engine"]
        engine.seeing_at -= engine.stands + 1
        assert watched.exporter.ready().body.startswith("blind: no Docker engine answers")
        way.open()
        watched.measure()
        watched.measure()
        assert (watched.state(), watched.exporter.ready().body) == ("ok", "ready\n")
