"""What is asked of Prometheus, what comes back, and what is said where nothing good does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from probe_servers import Somewhere

from sutazai_ops.errors import BadInput, OpsError, Unreachable, Unsupported
from sutazai_ops.monitoring.prometheus import Prometheus, open_prometheus
from sutazai_ops.platform import read_platform

VECTOR = {
    "status": "success",
    "data": {"resultType": "vector", "result": [{"metric": {"service": "shop"}, "value": [1.5, "0.25"]}]},
    "warnings": ["partial"],
}


@contextmanager
def answering(answer: Callable[[str, dict[str, list[str]]], tuple[int, object]]) -> Iterator[Prometheus]:
    """A Prometheus that answers what `answer(path, parameters)` says: a status, and JSON or text."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, content = answer(parts.path, parse_qs(parts.query))
            body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield Prometheus(f"http://127.0.0.1:{server.server_port}", seconds=2)
    finally:
        server.shutdown()
        server.server_close()


def test_an_answer_keeps_its_labels_its_value_and_the_servers_warnings():
    asked: list[dict[str, list[str]]] = []
    with answering(lambda path, parameters: (asked.append(parameters), (200, VECTOR))[1]) as prometheus:
        answer = prometheus.query('up{service="shop"}', at=12.0)
    assert [(dict(one.labels), one.value) for one in answer.values] == [({"service": "shop"}, 0.25)]
    assert answer.warnings == ("partial",)
    assert asked == [{"query": ['up{service="shop"}'], "time": ["12.000"]}]


def test_alerts_rules_and_targets_are_read_with_their_moments():
    active = {"labels": {"alertname": "a"}, "state": "firing", "activeAt": "2026-11-26T00:09:00.123456789Z"}
    recording = {
        "name": "signal:x",
        "type": "recording",
        "query": "up",
        "lastEvaluation": "2026-11-26T01:09:00.5+01:00",
    }
    alerting = {"name": "y", "type": "alerting", "query": "up", "lastEvaluation": "0001-01-01T00:00:00Z"}
    down = {"labels": {"service": "shop"}, "health": "down", "lastError": "refused"}
    contents = {
        "/api/v1/alerts": {"alerts": [active]},
        "/api/v1/rules": {"groups": [{"rules": [recording, alerting | {"lastError": "no"}]}]},
        "/api/v1/targets": {"activeTargets": [down]},
    }
    with answering(lambda path, _: (200, {"status": "success", "data": contents[path]})) as prometheus:
        (alert,) = prometheus.alerts()
        first, second = prometheus.rules()
        (target,) = prometheus.targets()
    assert alert.since == datetime(2026, 11, 26, 0, 9, 0, 123456, UTC)
    assert (first.evaluated_at, second.evaluated_at) == (datetime(2026, 11, 26, 0, 9, 0, 500000, UTC), None)
    assert second.error == "no"
    assert (target.health, target.error) == ("down", "refused")


@pytest.mark.parametrize(
    ("status", "content", "kind", "said"),
    [
        (400, {"status": "error", "error": "parse error"}, BadInput, "refuses the question: parse error"),
        (503, {"status": "error", "error": "starting"}, Unreachable, "cannot answer now: starting"),
        (200, "<html>Grafana</html>", OpsError, "is no Prometheus: it answers 200"),
        (200, {"status": "success", "data": {"resultType": "vector"}}, OpsError, "is no Prometheus"),
        (502, "Bad Gateway", OpsError, "is no Prometheus: it answers 502"),
    ],
)
def test_an_answer_that_is_none_is_one_sentence(status, content, kind, said):
    with answering(lambda *_: (status, content)) as prometheus, pytest.raises(kind, match=said):
        prometheus.query("up")


def test_one_that_does_not_answer_is_named_with_what_to_do_next():
    with pytest.raises(Unreachable, match=r"prometheus cannot be asked: .* refuses the connection") as refused:
        Prometheus("http://127.0.0.1:1").query("up")
    assert refused.value.remedy == "sutazai-ops probe prometheus"


def installation(folder: Path, text: str, engine: str) -> SimpleNamespace:
    (folder / "core.yaml").write_text(text)
    known = Somewhere(watcher=9999, exporter=9177)
    known.name = engine
    return SimpleNamespace(platform=read_platform(folder), engine=known)


def test_it_is_found_by_what_it_is_asked_and_not_by_its_name(tmp_path):
    here = installation(tmp_path, "services: {watcher: {image: prom/prometheus:v3.14.0}}", "compose")
    assert open_prometheus(here).address == "http://127.0.0.1:9999"
    assert here.engine.asked == [("watcher", 9090)]


def test_on_the_embedded_engine_the_exporter_answers(tmp_path):
    text = "services: {exporter: {image: 'sutazai/ops:0.1.0', command: [exporter]}}"
    assert open_prometheus(installation(tmp_path, text, "embedded")).name == "exporter"


def test_a_platform_without_one_says_so(tmp_path):
    here = installation(tmp_path, "services: {shop: {image: 'registry.example/shop:1'}}", "compose")
    with pytest.raises(Unsupported, match="has no Prometheus"):
        open_prometheus(here)
