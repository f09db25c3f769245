"""The client of Prometheus against a real HTTP server that answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from sutazai_ops.errors import BadInput, OpsError, Unreachable
from sutazai_ops.slo import source
from sutazai_ops.slo.source import POINTS_AT_MOST, PrometheusSource, Remembering


class Server(ThreadingHTTPServer):
    """Answers the next of its answers, the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[dict[str, str]] = []
        self.delay = 0.0

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not wait is what one of these tests is about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append({"path": self.path, **{key: values[0] for key, values in form.items()}})
        answers = self.server.answers
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        time.sleep(self.server.delay)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(source, "PAUSE_SECONDS", 0.01)
    one = Server()
    threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield one
    one.shutdown()
    one.server_close()


def matrix(*series: dict[str, object], **more: object) -> tuple[int, bytes]:
    return 200, json.dumps({"status": "success", "data": {"resultType": "matrix", "result": series}, **more}).encode()


def failing(status: int, kind: str, message: str) -> tuple[int, bytes]:
    return status, json.dumps({"status": "error", "errorType": kind, "error": message}).encode()


def test_a_question_is_posted_with_its_time_out_and_answered_with_numbers(server: Server) -> None:
    server.answers = [matrix({"metric": {"job": "a"}, "values": [[60, "1"], [120, "NaN"], [180, "+Inf"]]})]
    found = PrometheusSource(server.url, seconds=5).over("up", 60, 180, 60)
    assert found.lines[0].points == [(60, 1.0), (180, float("inf"))]
    assert server.asked == [
        {"path": "/api/v1/query_range", "query": "up", "start": "60", "end": "180", "step": "60", "timeout": "5s"}
    ]


def test_warnings_are_kept(server: Server) -> None:
    server.answers = [matrix(warnings=["remote read failed"], infos=["metric might not be a counter"])]
    assert PrometheusSource(server.url).over("up", 0, 60, 60).notices == ("remote read failed",)


def test_a_range_of_too_many_points_is_asked_in_parts_and_joined(server: Server) -> None:
    one = {"metric": {"job": "a"}, "values": [[0, "1"]]}
    two = {"metric": {"job": "a"}, "values": [[660_000, "2"]]}
    server.answers = [matrix(one, warnings=["w"]), matrix(two, warnings=["w"])]
    found = PrometheusSource(server.url).over("up", 0, 720_000, 60)
    assert found.lines[0].points == [(0, 1.0), (660_000, 2.0)]
    assert found.notices == ("w",)
    ranges = [(int(asked["start"]), int(asked["end"])) for asked in server.asked]
    assert ranges == [(0, 60 * (POINTS_AT_MOST - 1)), (60 * POINTS_AT_MOST, 720_000)]


def test_a_server_that_is_not_ready_is_asked_again(server: Server) -> None:
    server.answers = [(503, b"Service Unavailable"), (503, b"Service Unavailable"), matrix()]
    assert PrometheusSource(server.url).over("up", 0, 60, 60).lines == ()
    assert len(server.asked) == 3


def test_a_server_that_stays_unavailable_is_said_to_be(server: Server) -> None:
    server.answers = [failing(503, "timeout", "query timed out in expression evaluation")]
    with pytest.raises(Unreachable, match="query timed out"):
        PrometheusSource(server.url).over("up", 0, 60, 60)
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_refusal_is_final_and_says_why(server: Server, status: int) -> None:
    server.answers = [failing(status, "bad_data", "parse error: unexpected end of input")]
    with pytest.raises(BadInput, match="unexpected end") as refused:
        PrometheusSource(server.url).at("up{", 60)
    assert refused.value.where == "up{"
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"<html>login</html>", b"[]", b"{}", b""])
def test_whatever_is_no_prometheus_is_one_sentence(server: Server, body: bytes) -> None:
    server.answers = [(200, body)]
    with pytest.raises(OpsError, match="no Prometheus"):
        PrometheusSource(server.url).at("up", 60)


def test_an_answer_that_comes_too_late_is_none(server: Server) -> None:
    server.answers, server.delay = [matrix()], 0.4
    with pytest.raises(Unreachable, match="no whole answer"):
        PrometheusSource(server.url, seconds=0.1).over("up", 0, 60, 60)


def test_nobody_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PAUSE_SECONDS", 0.01)
    with pytest.raises(Unreachable, match="cannot be asked: connection refused") as gone:
        PrometheusSource("http://127.0.0.1:9").at("up", 60)
    assert gone.value.where == "http://127.0.0.1:9"


def test_a_password_in_the_address_is_not_shown() -> None:
    assert PrometheusSource("http://anna:secret@prometheus:9090/").where == "http://prometheus:9090"


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://x", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="no address"):
        PrometheusSource(url)


def test_what_two_objectives_ask_alike_is_asked_once(server: Server) -> None:
    server.answers = [matrix()]
    asked = Remembering(PrometheusSource(server.url))
    assert asked.over("up", 0, 60, 60) is asked.over("up", 0, 60, 60)
    asked.at("up", 60)
    asked.at("up", 60)
    assert len(server.asked) == 2
