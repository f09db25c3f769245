"""Probes of a real PostgreSQL and a real Valkey: right, refused, stopped, hanging, loading."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing

import pytest
from server_processes import frozen, listener
from typer.testing import CliRunner

from sutazai_ops.commands.probe import app
from sutazai_ops.engines.postgres import connect as connect_postgres
from sutazai_ops.engines.redis import connect as connect_redis
from sutazai_ops.installation import Installation
from sutazai_ops.monitoring.probes import ProbeState, probe_all, run_probe
from sutazai_ops.platform import External, Probe
from sutazai_ops.progress import Silent
from sutazai_ops.settings import Loaded, Settings

pytestmark = pytest.mark.servers

PLATFORM = """
services:
  db:
    image: postgres:18
    x-sutazai:
      probes: [{kind: postgres, timeout_seconds: 2}, {kind: tcp, port: 5432}]
      embedded: {server: postgres}
  cache:
    image: valkey/valkey:9
    x-sutazai:
      probes: [{kind: redis, timeout_seconds: 1}]
      embedded:
        server: valkey
        # So that a test can make it load its data slowly, and answer meanwhile.
        config: {enable-debug-command: "yes", loading-process-events-interval-bytes: "1024"}
"""
USERS = {"db": "postgresql://postgres@{}", "cache": "redis://{}"}


def install(home, platform, **settings) -> Installation:
    return Installation(
        Loaded(settings=Settings(home=home, platform=platform, engine="embedded", **settings), origins={})
    )


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    home = tmp_path_factory.mktemp("a home")
    (home / "platform").mkdir()
    (home / "platform/core.yaml").write_text(PLATFORM)
    installation = install(home, home / "platform")
    try:
        installation.engine.apply(installation.engine.plan(list(installation.platform)), Silent())
        yield installation
    finally:
        for service in ("cache", "db"):
            installation.engine.stop(service)


def first_outcome(installation: Installation, service: str):
    wanted = installation.platform.service(service)
    return run_probe(wanted, wanted.probes[0], installation.engine)


def as_theirs(here: Installation, home, service: str, password: str | None) -> Installation:
    """The same server, seen from another home as somebody else's."""
    file = None
    if password is not None:
        file = home / "password"
        file.write_text(password)
        file.chmod(0o600)
    address = USERS[service].format(here.engine.endpoint(service))
    external = {service: External(address=address, password_file=file)}
    return install(home / "theirs", here.settings.platform, external=external)


def test_servers_that_answer_are_ok_and_say_who_they_are(here):
    reports = {(one.service, one.probe.kind): one.outcome for one in probe_all(list(here.platform), here.engine)}
    assert {one.state for one in reports.values()} == {ProbeState.OK}
    assert reports["db", "postgres"].facts["version"].startswith("18.")
    assert reports["db", "postgres"].facts["role"] == "primary"
    assert reports["db", "postgres"].facts["read_only"] == "off"
    assert reports["cache", "redis"].because == "it answers PING"


def test_a_server_that_takes_no_writes_says_so(here):
    with connect_postgres(here.engine.server("db"), autocommit=True) as connection:
        connection.execute("ALTER ROLE postgres SET default_transaction_read_only = on")
        try:
            outcome = first_outcome(here, "db")
        finally:
            connection.execute("ALTER ROLE postgres RESET default_transaction_read_only")
    assert (outcome.state, outcome.facts["read_only"]) == (ProbeState.OK, "on")


def test_the_command_ends_with_0_when_all_is_well(here):
    environment = {
        "SUTAZAI_HOME": str(here.settings.home),
        "SUTAZAI_PLATFORM": str(here.settings.platform),
        "SUTAZAI_ENGINE": "embedded",
    }
    done = CliRunner().invoke(app, [], env=environment)
    assert done.exit_code == 0, done.output
    assert "3 probes: 3 ok" in done.stdout
    done = CliRunner().invoke(app, ["cache", "--json"], env=environment)
    (one,) = json.loads(done.stdout)
    assert (one["service"], one["state"], one["probe"]["kind"]) == ("cache", "ok", "redis")
    assert 0 < one["seconds"] < 1


@pytest.mark.parametrize("service", ["db", "cache"])
def test_a_wrong_password_has_failed_and_is_not_shown(here, tmp_path, service):
    outcome = first_outcome(as_theirs(here, tmp_path, service, "hunter2"), service)
    assert outcome.state is ProbeState.FAILED
    assert "refuses" in outcome.because
    assert "hunter2" not in str(outcome)


@pytest.mark.parametrize("service", ["db", "cache"])
def test_no_password_where_one_is_wanted_has_failed(here, tmp_path, service):
    outcome = first_outcome(as_theirs(here, tmp_path, service, None), service)
    assert outcome.state is ProbeState.FAILED
    assert "refuses" in outcome.because


@pytest.mark.parametrize("service", ["db", "cache"])
def test_a_password_file_that_is_gone_leaves_the_state_unknown(here, tmp_path, service):
    theirs = as_theirs(here, tmp_path, service, "secret")
    (tmp_path / "password").unlink()
    outcome = first_outcome(theirs, service)
    assert outcome.state is ProbeState.UNKNOWN
    assert "password file" in outcome.because


@pytest.mark.parametrize("service", ["db", "cache"])
def test_a_server_that_hangs_has_failed_within_its_time(here, service):
    seconds = here.platform.service(service).probes[0].timeout_seconds
    with frozen(listener(here.engine.server(service).endpoint.port)):
        outcome = first_outcome(here, service)
    assert outcome.state is ProbeState.FAILED
    assert outcome.seconds < seconds + 1
    assert first_outcome(here, service).state is ProbeState.OK


def test_a_server_that_loads_its_data_has_failed_with_that_word(here):
    with closing(connect_redis(here.engine.server("cache"))) as client:
        client.mset({f"key{n}": "x" * 100 for n in range(2000)})
        client.config_set("key-load-delay", "1000")
        reload = threading.Thread(target=client.execute_command, args=("DEBUG", "RELOAD"))
        reload.start()
        # It answers only now and then while it loads, so one question may find it busy.
        seen = set()
        while reload.is_alive() and "LOADING" not in " ".join(seen):
            outcome = first_outcome(here, "cache")
            seen.add(f"{outcome.state}: {outcome.because}")
        reload.join()
        client.config_set("key-load-delay", "0")
        client.flushall()
    assert "failed: it answers LOADING: cache still loads its data" in seen
    assert first_outcome(here, "cache").state is ProbeState.OK


def test_a_server_that_cannot_write_its_snapshot_has_failed(here):
    snapshot = here.engine.data_folder("cache") / "dump.rdb"
    snapshot.unlink(missing_ok=True)
    with closing(connect_redis(here.engine.server("cache"))) as client:
        client.config_set("save", "3600 1")
        # It writes beside the snapshot and renames, which fails where a folder stands.
        snapshot.mkdir()
        try:
            client.bgsave()
            until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
            outcome = first_outcome(here, "cache")
        finally:
            snapshot.rmdir()
            client.config_set("save", "")
    assert outcome.state is ProbeState.FAILED
    assert "MISCONF" in outcome.because
    assert first_outcome(here, "cache").state is ProbeState.OK


def until(true, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_probe_at_another_port_asks_there(here):
    outcome = run_probe(here.platform.service("cache"), Probe(kind="redis", port=6379), here.engine)
    assert outcome.state is ProbeState.OK
    outcome = run_probe(here.platform.service("cache"), Probe(kind="redis", port=7000), here.engine)
    assert (outcome.state, "7000" in outcome.because) == (ProbeState.UNKNOWN, True)


def test_a_server_of_somebody_else_that_is_down_has_failed(here, tmp_path):
    theirs = as_theirs(here, tmp_path, "cache", "secret")
    here.engine.stop("cache")
    try:
        outcome = first_outcome(theirs, "cache")
    finally:
        here.engine.start("cache")
    assert outcome.state is ProbeState.FAILED
    assert "does not answer" in outcome.because


@pytest.mark.parametrize("service", ["db", "cache"])
def test_a_stopped_server_is_unknown_and_never_ok(here, service):
    here.engine.stop(service)
    try:
        reports = probe_all([here.platform.service(service)], here.engine)
    finally:
        here.engine.start(service)
    assert {one.outcome.state for one in reports} == {ProbeState.UNKNOWN}
    assert {one.outcome.because for one in reports} == {f"{service} does not run"}
