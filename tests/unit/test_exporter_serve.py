"""What the exporter answers: its metrics, whether it sees, and Prometheus' own questions in Prometheus' own JSON."""

from __future__ import annotations

import http.client
import json
import math
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_servers import hang, page, service, serving
from prometheus_client.parser import text_string_to_metric_families
from small_engine import SmallEngine, seen

from sutazai_ops.backups.store import Store
from sutazai_ops.engines import State
from sutazai_ops.engines.daemons import free_port
from sutazai_ops.errors import OpsError
from sutazai_ops.monitoring.exporter import measuring
from sutazai_ops.monitoring.exporter.exporter import Exporter
from sutazai_ops.monitoring.exporter.families import served
from sutazai_ops.monitoring.exporter.measured import Measured
from sutazai_ops.monitoring.exporter.measuring import Watch
from sutazai_ops.monitoring.exporter.prometheus_api import moment, with_exponent, written
from sutazai_ops.monitoring.exporter.serve import Server
from sutazai_ops.platform import Probe
from sutazai_ops.settings import Settings


class Little:
    """An exporter of one service, measured by hand."""

    def __init__(self, tmp_path, engine: SmallEngine, name: str = "compose", **settings) -> None:
        engine.name = name
        self.engine, self.services = engine, [service(probes=[Probe(kind="http", port=80, timeout_seconds=0.3)])]
        home = Settings(home=tmp_path / "home", **settings)
        self.exporter = Exporter(Watch(home, engine, Store(home.backup_store), lambda: self.services))

    def measure(self) -> None:
        measuring = self.exporter.measuring
        measuring.follow()
        for one in (*measuring.collectors.values(), *measuring.probes.values()):
            one.round()

    @contextmanager
    def serving(self):
        with Server("127.0.0.1", 0, self.exporter.pages) as server:
            yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def little(tmp_path):
    with serving(page()) as port:
        yield Little(tmp_path, SmallEngine([seen("web")], web=port))


@pytest.fixture
def alone(tmp_path):
    """On the embedded engine, where there is no Prometheus."""
    with serving(page()) as port:
        yield Little(tmp_path, SmallEngine([seen("web")], web=port), "embedded")


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def get(url: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers["Content-Type"]


def read(url: str) -> dict:
    return json.loads(get(url)[1])


class TestMetrics:
    def test_they_are_what_prometheus_reads_and_stand_in_the_catalogue(self, little):
        little.measure()
        with little.serving() as url:
            families = list(text_string_to_metric_families(get(f"{url}/metrics")[1]))
        known = served()
        assert len(families) > 10
        for family in families:
            name = family.name if family.name in known else f"{family.name}_total"
            assert known[name].kind == family.type
            assert known[name].help == family.documentation
            for sample in family.samples:
                assert sample.labels.keys() - {"le"} == set(known[name].labels)

    def test_whoever_asks_for_the_head_alone_gets_no_body(self, little):
        little.measure()
        with little.serving() as url:
            connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
            connection.request("HEAD", "/metrics")
            raw = connection.sock.makefile("rb").read()
        head, body = raw.split(b"\r\n\r\n", 1)
        assert b"200 OK" in head
        assert body == b""

    def test_a_scrape_asks_nobody(self, little):
        little.measure()
        little.engine.asked.clear()
        little.engine.broken = "it must not be asked"
        with little.serving() as url:
            assert 'sutazai_probe_state{probe="http",service="web",state="ok"} 1.0' in get(f"{url}/metrics")[1]
        assert little.engine.asked == []

    def test_a_service_that_is_no_longer_meant_to_run_leaves_no_series(self, little):
        little.measure()
        little.services = []
        little.measure()
        with little.serving() as url:
            assert 'service="web"' not in get(f"{url}/metrics")[1]

    def test_a_service_that_comes_is_measured_without_a_restart(self, little):
        little.measure()
        little.services = [*little.services, service("new")]
        little.measure()
        with little.serving() as url:
            found = get(f"{url}/metrics")[1]
        assert 'sutazai_probe_state{probe="none",service="new",state="unknown"} 1.0' in found

    def test_it_says_how_much_stands_still_without_a_service(self, little):
        little.measure()
        with little.serving() as url:
            found = get(f"{url}/metrics")[1]
        assert 'sutazai_service_criticality{criticality="normal",service="web"} 1.0' in found

    def test_a_client_that_reads_nothing_keeps_nobody_waiting(self, little):
        little.measure()
        with little.serving() as url, socket.create_connection(url.removeprefix("http://").split(":")) as slow:
            slow.sendall(b"GET /metr")
            assert get(f"{url}/metrics")[0] == 200


class TestReadiness:
    def ready(self, little) -> tuple[int, str]:
        answer = little.exporter.ready()
        return answer.status.value, answer.body.strip()

    def test_before_the_first_round_it_is_not_ready(self, little):
        assert self.ready(little) == (503, "not ready: what is meant to run has not been measured yet")
        little.exporter.measuring.follow()
        assert self.ready(little) == (503, "not ready: engine has not been measured yet")

    def test_after_it_it_is_though_a_service_is_down(self, little):
        little.engine.ports = {"web": free_port()}
        little.measure()
        assert self.ready(little) == (200, "ready")

    def test_one_that_never_saw_the_engine_is_blind(self, little):
        little.engine.broken = "no Docker engine answers"
        little.measure()
        assert self.ready(little) == (503, "blind: no Docker engine answers")

    def test_it_is_blind_once_the_engine_has_been_silent_for_some_rounds(self, little):
        little.measure()
        engine = little.exporter.measuring.collectors["engine"]
        little.engine.broken = "no Docker engine answers"
        little.measure()
        assert self.ready(little) == (200, "ready")
        engine._clock = lambda: time.monotonic() + engine.stands + 1
        assert self.ready(little) == (503, "blind: no Docker engine answers")

    def test_a_page_says_what_it_is(self, little, alone):
        little.measure()
        with little.serving() as url:
            status, text, _ = get(url)
            assert (status, get(f"{url}/nothing")[0]) == (200, 404)
            assert get(f"{url}/api/v1/alerts")[0] == 404
        assert text.startswith("sutazai-ops exporter ")
        assert "1 services, 1 probes, measured every 30 s" in text
        assert "/api/v1/query" in alone.exporter.about().body


def test_a_port_that_is_taken_is_one_sentence(little):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OpsError, match=f"cannot listen on 127.0.0.1:{port}: address already in use"):
            Server("127.0.0.1", port, {})


class TestPrometheusApi:
    """https://prometheus.io/docs/prometheus/latest/querying/api/"""

    def test_an_instant_vector_is_answered_as_prometheus_does(self, alone):
        alone.measure()
        alone.exporter.alerting.evaluate()
        with alone.serving() as url:
            query = quote('sutazai_probe_state{state="ok"}')
            status, text, kind = get(f"{url}/api/v1/query?query={query}")
            answer = json.loads(text)
        assert (status, kind) == (200, "application/json")
        assert answer["status"] == "success"
        assert answer["data"]["resultType"] == "vector"
        [found] = answer["data"]["result"]
        assert found["metric"] == {
            "__name__": "sutazai_probe_state", "service": "web", "probe": "http", "state": "ok",
            "job": "exporter", "instance": socket.gethostname(),
        }  # fmt: skip
        at, value = found["value"]
        assert (value, time.time() - at < 5) == ("1", True)

    def test_a_moment_can_be_asked_for(self, alone):
        alone.measure()
        alone.exporter.alerting.evaluate()
        with alone.serving() as url:
            past = read(f"{url}/api/v1/query?query=sutazai_exporter_info&time={time.time() - 900}")
            assert past["data"]["result"] == []
            now = quote(moment(time.time()))
            assert len(read(f"{url}/api/v1/query?query=sutazai_exporter_info&time={now}")["data"]["result"]) == 1

    @pytest.mark.parametrize(
        ("query", "status", "kind"),
        [
            ("query=rate(", 400, "bad_data"),
            ("query=", 400, "bad_data"),
            ("query=1&time=soon", 400, "bad_data"),
            ("query=" + quote("sutazai_probe_state * on () sutazai_probe_state"), 422, "execution"),
        ],
    )
    def test_what_cannot_be_answered_is_refused_as_prometheus_does(self, alone, query, status, kind):
        alone.measure()
        alone.exporter.alerting.evaluate()
        with alone.serving() as url:
            found, text, _ = get(f"{url}/api/v1/query?{query}")
        answer = json.loads(text)
        assert (found, answer["status"], answer["errorType"]) == (status, "error", kind)
        assert answer["error"]

    def test_alerts_are_listed_as_prometheus_does(self, alone):
        alone.measure()
        alone.exporter.alerting.evaluate()
        with alone.serving() as url:
            alerts = read(f"{url}/api/v1/alerts")["data"]["alerts"]
        watchdog = next(one for one in alerts if one["labels"]["alertname"] == "watchdog")
        assert watchdog.keys() == {"labels", "annotations", "state", "activeAt", "value"}
        assert (watchdog["state"], watchdog["value"]) == ("firing", "1e+00")
        assert {"summary", "next", "runbook_url"} <= watchdog["annotations"].keys()
        assert watchdog["activeAt"].endswith("Z")

    def test_rules_are_listed_as_prometheus_does(self, alone):
        alone.measure()
        with alone.serving() as url:
            [before] = read(f"{url}/api/v1/rules")["data"]["groups"]
            alone.exporter.alerting.evaluate()
            [group] = read(f"{url}/api/v1/rules")["data"]["groups"]
            [alerting] = read(f"{url}/api/v1/rules?type=alert")["data"]["groups"]
            [recording] = read(f"{url}/api/v1/rules?type=record")["data"]["groups"]
        assert {rule["health"] for rule in before["rules"]} == {"unknown"}
        assert before["lastEvaluation"].startswith("0001-01-01")
        assert group.keys() == {"name", "file", "interval", "limit", "rules", "evaluationTime", "lastEvaluation"}
        assert {rule["health"] for rule in group["rules"]} == {"ok"}
        assert {rule["type"] for rule in alerting["rules"]} == {"alerting"}
        assert {rule["type"] for rule in recording["rules"]} == {"recording"}
        assert len(alerting["rules"]) + len(recording["rules"]) == len(group["rules"])
        rule = next(rule for rule in alerting["rules"] if rule["name"] == "watchdog")
        assert rule.keys() == {
            "state", "name", "query", "duration", "keepFiringFor", "labels", "annotations", "alerts", "health",
            "evaluationTime", "lastEvaluation", "type",
        }  # fmt: skip
        assert (rule["state"], len(rule["alerts"])) == ("firing", 1)

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_a_value_is_written_so_that_it_reads_back_as_itself(self, value):
        assert float(written(value)) == value
        assert "e" not in written(value)
        assert float(with_exponent(value)) == value
        head, _, exponent = with_exponent(value).partition("e")
        assert len(head.lstrip("-").partition(".")[0]) == 1
        assert len(exponent) >= 3

    def test_what_is_no_number_is_written_as_go_does(self):
        assert [written(one) for one in (math.nan, math.inf, -math.inf)] == ["NaN", "+Inf", "-Inf"]
        assert with_exponent(math.inf) == "+Inf"


class TestRunning:
    def test_everything_is_measured_in_the_first_seconds_and_one_that_hangs_delays_nobody(self, tmp_path):
        with serving(hang) as stuck, serving(page()) as port:
            engine = SmallEngine([seen("web"), seen("stuck")], web=port, stuck=stuck)
            little = Little(tmp_path, engine)
            little.services.append(service("stuck", probes=[Probe(kind="http", port=80, timeout_seconds=5)]))
            little.exporter.start()
            try:
                deadline = time.monotonic() + 4.5
                while (waiting := little.exporter.measuring.waiting()) != "probe http of stuck":
                    assert time.monotonic() < deadline, waiting
                    time.sleep(0.05)
            finally:
                begun = time.monotonic()
                little.exporter.stop()
            assert time.monotonic() - begun < 1

    @pytest.fixture
    def rounds(self, little, monkeypatch):
        """Of the probe and of the engine, which have no turn of their own in the time of a test."""
        monkeypatch.setattr(measuring, "AGAIN_SECONDS", 0.5)
        of_all = little.exporter.measuring
        of_all.follow()
        of_all.schedule.start()
        probe, engine = of_all.probes["probe http of web"], of_all.collectors["engine"]
        wait_until(lambda: not of_all.waiting())

        def look() -> None:
            of_all.schedule.hasten("probe http of web")
            of_all.schedule.hasten("engine")

        yield probe, engine, look
        of_all.stop()

    def test_what_turns_bad_by_chance_is_looked_at_again_long_before_its_next_turn(self, little, rounds):
        probe, engine, look = rounds
        ports, well = little.engine.ports, little.engine.observed
        little.engine.ports, little.engine.observed = {"web": free_port()}, [seen("web", State.STOPPED)]
        look()
        wait_until(lambda: (probe.state, engine.rounds) == ("failed", 2))
        little.engine.ports, little.engine.observed = ports, well
        wait_until(lambda: (probe.state, engine.rounds) == ("ok", 3))
        assert (
            'sutazai_service_state{phase="core",service="web",state="stopped"} 0.0' in little.exporter.measuring.text()
        )

    def test_what_stays_bad_is_looked_at_once_more_and_then_in_its_turn(self, little, rounds):
        probe, engine, look = rounds
        little.engine.ports, little.engine.broken = {"web": free_port()}, "no Docker engine answers"
        look()
        wait_until(lambda: (probe.rounds, engine.rounds) == (3, 3))
        time.sleep(0.8)
        assert (probe.rounds, engine.rounds) == (3, 3)

    def test_an_exporter_that_cannot_find_out_what_is_meant_to_run_goes_on_with_what_was(self, little, caplog):
        little.measure()

        def broken():
            raise OpsError("the releases cannot be read")

        object.__setattr__(little.exporter.measuring.watch, "meant", broken)
        little.measure()
        assert little.exporter.measuring.services == tuple(little.services)
        assert "the releases cannot be read" in caplog.text

    def test_nothing_is_judged_before_all_was_measured_once(self, little):
        little.exporter._judge()
        assert little.exporter.alerting.evaluated_at is None
        little.measure()
        little.exporter._judge()
        assert little.exporter.alerting.evaluated_at is not None

    def test_what_never_ends_its_first_round_is_not_waited_for_for_ever(self, little):
        little.exporter._began -= 61
        little.exporter._judge()
        assert little.exporter.alerting.evaluated_at is not None

    def test_a_figure_that_the_catalogue_does_not_have_breaks_no_scrape(self, little, monkeypatch):
        from sutazai_ops.monitoring.exporter.collectors import clock

        monkeypatch.setattr(clock, "Measured", lambda _, value: Measured("made_up", value))
        little.measure()
        with little.serving() as url:
            status, text, _ = get(f"{url}/metrics")
        assert status == 200
        assert "made_up" not in text
        assert 'sutazai_exporter_errors_total{collector="clock"} 1.0' in text


def test_many_scrapes_at_once_are_answered(little):
    little.measure()
    with little.serving() as url:
        answers: list[int] = []
        threads = [threading.Thread(target=lambda: answers.append(get(f"{url}/metrics")[0])) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [200] * 20
