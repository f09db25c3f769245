"""Running probes: three states, each in its time, however many and however slow."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from probe_servers import Known, Somewhere, gibberish, hang, page, reset, service, serving, trickle_headers
from typer.testing import CliRunner

from sutazai_ops.commands.probe import app
from sutazai_ops.engines.daemons import free_port
from sutazai_ops.errors import BadInput, ExitCode
from sutazai_ops.monitoring.probes import ProbeState, probe_all, run, run_probe
from sutazai_ops.platform import Probe, Tier, read_platform
from sutazai_ops.platform.infer import from_image

HTTP = Probe(kind="http", port=8080, timeout_seconds=0.3)
TCP = Probe(kind="tcp", port=8080, timeout_seconds=0.3)


def test_a_service_that_does_not_run_is_unknown_never_ok():
    for kind in ("http", "tcp", "ollama", "prometheus"):
        outcome = run_probe(service(), Probe(kind=kind, port=1), Somewhere())
        assert (outcome.state, outcome.because) == (ProbeState.UNKNOWN, "web does not run")


def test_a_password_file_that_is_missing_leaves_the_state_unknown():
    class Locked(Somewhere):
        def server(self, service):
            raise BadInput("cannot read the password file: no such file or directory", where="/x")

    for kind in ("postgres", "redis"):
        outcome = run_probe(service(), Probe(kind=kind), Locked())
        assert outcome.state is ProbeState.UNKNOWN
        assert "password file" in outcome.because


def test_a_password_that_may_not_be_read_leaves_the_state_unknown():
    class Closed(Somewhere):
        def server(self, service):
            raise PermissionError(13, "Permission denied")

    outcome = run_probe(service(), Probe(kind="redis"), Closed())
    assert outcome.state is ProbeState.UNKNOWN
    assert outcome.because == "cannot find out how to ask web: permission denied"


def test_an_engine_that_does_not_answer_leaves_the_state_unknown(monkeypatch):
    over = threading.Event()

    class Stuck(Somewhere):
        def endpoint(self, service, port=None):
            over.wait()

    monkeypatch.setattr(run, "ENGINE_SECONDS", 0.1)
    outcome = run_probe(service(), HTTP, Stuck())
    over.set()
    assert outcome.state is ProbeState.UNKNOWN
    assert "the engine does not say" in outcome.because


def test_what_keeps_no_time_of_its_own_is_left_behind(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(run, "question", lambda *_: over.wait)
    outcome = run_probe(service(), HTTP, Somewhere(web=1))
    over.set()
    assert (outcome.state, outcome.because) == (ProbeState.FAILED, "no answer within 0.3 s")
    assert outcome.seconds < 2


def test_a_defect_of_ours_is_not_hidden(monkeypatch):
    monkeypatch.setattr(run, "question", lambda *_: lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_probe(service(), HTTP, Somewhere(web=1))


def test_an_open_port_is_ok_and_a_closed_one_has_failed():
    with serving(hang) as port:
        assert run_probe(service(), TCP, Somewhere(web=port)).state is ProbeState.OK
    outcome = run_probe(service(), TCP, Somewhere(web=free_port()))
    assert outcome.state is ProbeState.FAILED
    assert "refuses the connection" in outcome.because


@pytest.mark.parametrize("kind", ["postgres", "redis"])
@pytest.mark.parametrize("behave", [gibberish, reset, hang])
def test_another_program_at_a_servers_port_has_failed(kind, behave):
    with serving(behave) as port:
        outcome = run_probe(service(), Probe(kind=kind, timeout_seconds=1), Known(web=port))
    assert outcome.state is ProbeState.FAILED
    assert outcome.because


@pytest.mark.parametrize(("kind", "driver"), [("postgres", "psycopg"), ("redis", "redis"), ("http", "requests")])
def test_the_time_of_an_answer_does_not_hold_the_loading_of_the_driver(kind, driver):
    script = f"""if True:
        import sys
        from probe_servers import Known, service
        from sutazai_ops.monitoring.probes.kinds import question
        from sutazai_ops.platform import Probe
        assert "{driver}" not in sys.modules
        question(service(), Probe(kind="{kind}", port=1), Known(web=1))
        assert "{driver}" in sys.modules
    """
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent, check=True)


def test_a_server_is_asked_through_the_pooler_before_it():
    with serving(reset) as port:
        engine = Known(web=free_port(), pooler=port)
        outcome = run_probe(service(), Probe(kind="postgres", through="pooler", port=6432), engine)
    assert ("pooler", 6432) in engine.asked
    assert "closed the connection" in outcome.because


def test_a_service_without_a_probe_is_unknown_and_told_what_to_do():
    (report,) = probe_all([service()], Somewhere())
    assert report.probe is None
    assert report.outcome.state is ProbeState.UNKNOWN
    assert report.outcome.because == "no probe: add one under x-sutazai, see docs/extend.md"


def test_reports_stand_in_the_order_of_services_and_probes():
    with serving(page(200)) as port:
        services = [service("a", probes=(HTTP, TCP)), service("b"), service("c", probes=(TCP,))]
        reports = probe_all(services, Somewhere(a=port, c=port))
    assert [(one.service, one.probe) for one in reports] == [("a", HTTP), ("a", TCP), ("b", None), ("c", TCP)]


def test_servers_that_hang_and_trickle_delay_nobody():
    with serving(hang) as hanging, serving(trickle_headers) as trickling, serving(page(200)) as fine:
        ports = {f"s{n}": (hanging, trickling, fine)[n % 3] for n in range(30)}
        # On a busy machine one that is fine may take a second, too.
        probe = Probe(kind="http", port=8080, timeout_seconds=4)
        started = time.monotonic()
        reports = probe_all([service(name, probes=(probe,)) for name in ports], Somewhere(**ports))
        took = time.monotonic() - started
    expected = [ProbeState.FAILED, ProbeState.FAILED, ProbeState.OK] * 10
    assert [report.outcome.state for report in reports] == expected
    # One after the other, those that hang and trickle would take eighty seconds.
    assert took < 20


def test_however_many_hang_all_of_it_ends_about_when_one_does(monkeypatch):
    monkeypatch.setattr(run, "TURN_SECONDS", 0.1)
    with serving(hang) as hanging, serving(page(200)) as fine:
        ports = {**{f"s{n}": hanging for n in range(20)}, "last": fine}
        probe = Probe(kind="http", port=8080, timeout_seconds=1)
        started = time.monotonic()
        reports = probe_all([service(name, probes=(probe,)) for name in ports], Somewhere(**ports), workers=2)
        took = time.monotonic() - started
    assert [report.outcome.state for report in reports] == [ProbeState.FAILED] * 20 + [ProbeState.OK]
    # Two at a time, they would take ten seconds.
    assert took < 5


def test_no_more_are_asked_at_once_than_workers():
    now, most, lock = [0], [0], threading.Lock()

    def behave(connection, over) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        page(200)(connection, over)

    with serving(behave) as port:
        probe_all(
            [service(f"s{n}", probes=(HTTP,)) for n in range(12)],
            Somewhere(**{f"s{n}": port for n in range(12)}),
            workers=3,
        )
    assert 1 < most[0] <= 3


@pytest.mark.parametrize(
    ("image", "kind", "port"),
    [
        ("ollama/ollama:0.32.15", "ollama", None),
        ("registry.example:5000/mirror/chroma:1.5.9", "chroma", None),
        ("prom/alertmanager:v0.34.0", "http", 9093),
        ("grafana/grafana-oss:13.2.0", "http", 3000),
        ("docker.n8n.io/n8nio/n8n:2.41.3", "n8n", None),
        ("quay.io/prometheuscommunity/postgres-exporter:v0.20.1", "http", 9187),
    ],
)
def test_a_well_known_image_gives_its_probe_away(image, kind, port):
    known = from_image(image)
    assert [(probe.kind, probe.port) for probe in known.probes] == [(kind, port)]


def test_an_image_of_which_no_backup_is_known_is_stateful_and_its_backup_not_called_inferred(tmp_path):
    (tmp_path / "core.yaml").write_text("services: {vectors: {image: qdrant/qdrant}}")
    vectors = read_platform(tmp_path).service("vectors")
    assert (vectors.tier, vectors.backup) == (Tier.STATEFUL, None)
    assert vectors.inferred == {"tier", "probes", "description"}


@pytest.mark.parametrize("command", ["worker", "n8n worker --concurrency=5", ["worker"]])
def test_a_worker_serves_nobody_and_has_no_probe(tmp_path, command):
    (tmp_path / "core.yaml").write_text(f"services: {{flows: {{image: n8nio/n8n, command: {json.dumps(command)}}}}}")
    flows = read_platform(tmp_path).service("flows")
    assert (flows.probes, flows.tier) == ((), Tier.STATEFUL)


def test_a_command_that_only_speaks_of_workers_changes_nothing():
    assert from_image("n8nio/n8n", ["start", "--worker-threads=2"]).probes


def test_an_image_that_only_sounds_like_one_gives_nothing_away():
    assert [from_image(image) for image in ("acme/grafana-backup", "langgenius/dify-api:1.16.1", "qdrant-ui")] == [
        None
    ] * 3


COMPOSE = """
services:
  shown: {image: grafana/grafana}
  own: {image: acme/web, x-sutazai: {probes: [{kind: tcp, port: 80}, {kind: tcp, port: 81}]}}
  bare: {image: acme/job}
  off: {image: grafana/grafana, x-sutazai: {probes: []}}
  once: {image: acme/migrate, restart: "no"}
  awaited: {image: acme/migrate}
  after: {image: acme/web, depends_on: {awaited: {condition: service_completed_successfully}}}
"""


def test_the_command_shows_every_probe_and_ends_with_3_where_one_is_not_ok(tmp_path):
    (tmp_path / "core.yaml").write_text(COMPOSE)
    environment = {"SUTAZAI_HOME": str(tmp_path / "home"), "SUTAZAI_PLATFORM": str(tmp_path)}
    environment |= {"SUTAZAI_ENGINE": "compose", "DOCKER_HOST": "tcp://127.0.0.1:1"}
    done = CliRunner().invoke(app, ["--json"], env=environment)
    facts = json.loads(done.stdout)
    assert done.exit_code == ExitCode.CANNOT
    assert [(one["service"], one["inferred"], one["state"]) for one in facts] == [
        ("shown", True, "unknown"), ("own", False, "unknown"), ("own", False, "unknown"),
        ("bare", False, "unknown"), ("off", False, "unknown"),
        ("after", False, "unknown"),
    ]  # fmt: skip
    assert [one["probe"] and one["probe"]["kind"] for one in facts] == ["http", "tcp", "tcp", None, None, None]
    done = CliRunner().invoke(app, ["shown", "bare"], env=environment)
    assert "http (inferred)" in done.stdout
    assert "see docs/extend.md" in done.stdout
    assert "tcp" not in done.stdout


def test_a_service_that_ends_on_purpose_is_asked_only_when_it_is_named(tmp_path):
    (tmp_path / "core.yaml").write_text('services: {once: {image: acme/migrate, restart: "no"}}')
    environment = {"SUTAZAI_HOME": str(tmp_path / "home"), "SUTAZAI_PLATFORM": str(tmp_path)}
    environment["SUTAZAI_ENGINE"] = "embedded"
    assert json.loads(CliRunner().invoke(app, ["--json"], env=environment).stdout) == []
    done = CliRunner().invoke(app, ["once"], env=environment)
    assert (done.exit_code, "no probe" in done.stdout) == (ExitCode.CANNOT, True)


def test_where_nothing_can_be_asked_all_is_not_called_well(tmp_path):
    (tmp_path / "core.yaml").write_text(COMPOSE)
    environment = {"SUTAZAI_HOME": str(tmp_path / "home"), "SUTAZAI_PLATFORM": str(tmp_path)}
    done = CliRunner().invoke(app, ["--json"], env=environment | {"SUTAZAI_ENGINE": "embedded"})
    assert (json.loads(done.stdout), done.exit_code) == ([], ExitCode.CANNOT)
