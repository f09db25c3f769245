"""HTTP probes against servers that answer rightly, wrongly, slowly, endlessly or not at all."""

from __future__ import annotations

import os
import threading
import time

import pytest
from probe_servers import (
    Somewhere,
    as_json,
    break_off,
    flood,
    gibberish,
    hang,
    page,
    pages,
    reset,
    service,
    serving,
    trickle_body,
    trickle_headers,
)

from sutazai_ops import http
from sutazai_ops.engines.daemons import free_port
from sutazai_ops.errors import Unreachable
from sutazai_ops.monitoring.probes import Outcome, ProbeState, run_probe
from sutazai_ops.platform import Probe

SHORT = 0.3


def ask(behave, **probe) -> Outcome:
    probe = {"kind": "http", "port": 8080, "timeout_seconds": 5, **probe}
    with serving(behave) as port:
        return run_probe(service(), Probe(**probe), Somewhere(web=port))


def test_the_right_answer_is_ok():
    outcome = ask(as_json({"status": {"database": "ok"}}), expect={"status.database": "ok"}, contains="database")
    assert outcome.state is ProbeState.OK
    assert 0 < outcome.seconds < 5


def test_another_status_has_failed():
    outcome = ask(page(503, "not yet"))
    assert (outcome.state, outcome.because) == (ProbeState.FAILED, "it answers 503, not 200")


def test_another_value_has_failed():
    assert ask(as_json({"ok": False}), expect={"ok": True}).because == "ok is false, not true"


@pytest.mark.parametrize("behave", [hang, trickle_headers, trickle_body])
def test_a_server_that_never_ends_its_answer_has_failed_within_the_time(behave):
    outcome = ask(behave, timeout_seconds=SHORT)
    assert outcome.state is ProbeState.FAILED
    assert "within 0.3 s" in outcome.because
    assert outcome.seconds < SHORT + 1


@pytest.mark.parametrize("behave", [trickle_headers, trickle_body])
def test_no_thread_stays_with_a_server_that_trickles(behave):
    with serving(behave) as port:
        run_probe(service(), Probe(kind="http", port=1, timeout_seconds=SHORT), Somewhere(web=port))
        until(lambda: not [one for one in threading.enumerate() if one.name == "probe"])


def test_a_server_that_never_stops_is_read_no_further_than_the_limit():
    with serving(flood) as port:
        answer = http.get(f"http://127.0.0.1:{port}/", seconds=5)
    assert (len(answer.body), answer.whole) == (http.READ_BYTES, False)
    assert f"longer than {http.READ_BYTES} bytes" in ask(flood, expect={"ok": True}).because


@pytest.mark.parametrize(
    ("behave", "words"),
    [(reset, "closes the connection"), (gibberish, "as HTTP demands"), (break_off, "as HTTP demands")],
)
def test_what_is_no_whole_answer_has_failed(behave, words):
    outcome = ask(behave)
    assert outcome.state is ProbeState.FAILED
    assert words in outcome.because


def test_a_closed_port_has_failed_and_is_named():
    port = free_port()
    outcome = run_probe(service(), Probe(kind="http", port=8080), Somewhere(web=port))
    assert (outcome.state, outcome.because) == (ProbeState.FAILED, f"127.0.0.1:{port} refuses the connection")


def test_a_redirect_within_the_same_server_is_followed():
    behave = pages(health=page(302, Location="/health/live"), health_live=page(200, "fine"))
    assert ask(behave, path="/health", contains="fine").state is ProbeState.OK


def test_a_redirect_to_another_server_is_not_followed_and_its_query_not_shown():
    asked = []

    def elsewhere(connection, over) -> None:
        asked.append(connection)

    with serving(elsewhere) as other:
        outcome = ask(page(302, Location=f"http://127.0.0.1:{other}/login?token=hunter2"))
    assert outcome.state is ProbeState.FAILED
    assert outcome.because == f"it answers 302 and sends us to http://127.0.0.1:{other}/login, not 200"
    assert asked == []


def test_a_redirect_can_be_the_right_answer():
    assert ask(page(301, Location="/other"), status=301).state is ProbeState.OK


def test_a_circle_of_redirects_ends():
    assert ask(page(302, Location="/")).because.startswith("it answers 302")


def test_a_service_is_asked_through_its_proxy():
    with serving(page(200, "by the proxy")) as port:
        engine = Somewhere(edge=port)
        probe = Probe(kind="http", through="edge", port=80, path="/app", contains="by the proxy")
        assert run_probe(service(), probe, engine).state is ProbeState.OK
    assert engine.asked == [("edge", 80)]


def test_proxies_of_the_environment_are_not_asked(monkeypatch):
    monkeypatch.setitem(os.environ, "HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setitem(os.environ, "http_proxy", f"http://127.0.0.1:{free_port()}")
    assert ask(page(200)).state is ProbeState.OK


RIGHT = [
    ("ollama", pages(api_version=as_json({"version": "0.32.15"}), api_tags=as_json({"models": []}))),
    ("chroma", pages(api_v2_heartbeat=as_json({"nanosecond heartbeat": 17}))),
    ("qdrant", pages(readyz=page(200, "all shards are ready"))),
    ("neo4j", pages(root=as_json({"neo4j_version": "5.26.29", "neo4j_edition": "community"}))),
    ("n8n", pages(healthz_readiness=as_json({"status": "ok"}))),
    ("flowise", pages(api_v1_ping=page(200, "pong", Content_Type="text/html"))),
    ("langflow", pages(health_check=as_json({"status": "ok", "chat": "ok", "db": "ok"}))),
    ("dify", pages(health=as_json({"status": "ok"}))),
    ("prometheus", pages(__ready=page(200, "Prometheus Server is Ready.\n"))),
    ("loki", pages(ready=page(200, "ready\n"))),
]


@pytest.mark.parametrize(("kind", "behave"), RIGHT, ids=[kind for kind, _ in RIGHT])
def test_a_product_that_says_it_is_ready_is_ok(kind, behave):
    assert ask(behave, kind=kind).state is ProbeState.OK


@pytest.mark.parametrize("kind", [kind for kind, _ in RIGHT])
@pytest.mark.parametrize("behave", [page(503, "not ready"), page(200, "<html>Welcome</html>"), page(404)])
def test_a_product_that_is_not_ready_or_another_one_has_failed(kind, behave):
    assert ask(behave, kind=kind).state is ProbeState.FAILED


@pytest.mark.parametrize("kind", ["langflow", "dify"])
def test_a_product_that_calls_itself_not_ok_has_failed(kind):
    assert "status is nok" in ask(as_json({"status": "nok"}), kind=kind).because


def test_a_products_version_is_told():
    (ollama,) = [behave for kind, behave in RIGHT if kind == "ollama"]
    assert ask(ollama, kind="ollama").facts == {"version": "0.32.15"}


def test_an_ollama_that_cannot_list_its_models_has_failed():
    behave = pages(api_version=as_json({"version": "0.32.15"}), api_tags=page(500))
    assert ask(behave, kind="ollama").because == "it answers 500, not 200 (/api/tags)"
    assert ask(behave, kind="ollama", path="/api/version").state is ProbeState.OK


def test_an_ollama_that_hangs_at_its_second_question_has_failed_within_the_time():
    behave = pages(api_version=as_json({"version": "0.32.15"}), api_tags=hang)
    outcome = ask(behave, kind="ollama", timeout_seconds=SHORT)
    assert (outcome.state, outcome.seconds < SHORT + 1) == (ProbeState.FAILED, True)


def test_a_word_far_down_a_long_page_is_found():
    # As pg_up is in what PostgreSQL's exporter says.
    assert ask(page(200, "pg_settings 1\n" * 7000 + "pg_up 1\n"), contains="pg_up 1").state is ProbeState.OK


def test_a_products_usual_port_is_asked_for():
    engine = Somewhere()
    run_probe(service(), Probe(kind="qdrant"), engine)
    run_probe(service(), Probe(kind="qdrant", port=7000), engine)
    assert engine.asked == [("web", 6333), ("web", 7000)]


def test_a_scrape_job_is_asked_for_by_name():
    seen = []

    def behave(connection, over) -> None:
        seen.append(connection.recv(65536).split()[1].decode())
        body = b'{"status":"success","data":{"activeTargets":[{"scrapePool":"a b&c","health":"up"}]}}'
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    assert ask(behave, kind="prometheus", target="a b&c").because == "all 1 targets of a b&c are up"
    assert seen == ["/api/v1/targets?state=active&scrapePool=a+b%26c"]


def test_an_error_shows_no_password_of_an_address():
    with pytest.raises(Unreachable) as told:
        http.get(f"http://shop:hunter2@127.0.0.1:{free_port()}/?key=hunter2", seconds=1)
    assert "hunter2" not in str(told.value)


def until(true, seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
