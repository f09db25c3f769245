"""What the exporter reads of the ledger and of Dagster where both are kept on a real PostgreSQL."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import yaml
from dagster._daemon.types import DaemonHeartbeat

from sutazai_ops.engines.postgres import connect
from sutazai_ops.errors import OpsError, Unreachable
from sutazai_ops.installation import Installation
from sutazai_ops.ledger import open_ledger
from sutazai_ops.ledger.entries import DeploymentEntry, DriftEntry
from sutazai_ops.monitoring.exporter.collectors.dagster import DagsterCollector, storage
from sutazai_ops.monitoring.exporter.collectors.drift import DriftCollector
from sutazai_ops.platform import Service
from sutazai_ops.reading import reading
from sutazai_ops.settings import Loaded, Settings

pytestmark = pytest.mark.servers

NOW = datetime(2026, 11, 26, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    engine = Installation(Loaded(settings=Settings(home=home, engine="embedded"), origins={})).engine
    with engine.scratch("postgres", 18) as one:
        yield one


def database(server, name: str) -> None:
    with connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')


def figures(found) -> dict[tuple[str, ...], float]:
    assert found.missing == ()
    return {(one.name.removeprefix("sutazai_"), *one.labels.values()): one.value for one in found.measured}


def test_releases_and_drift_are_read_from_a_ledger_on_a_server(server, tmp_path):
    database(server, "ledger")
    (tmp_path / "password").write_text(server.account.password.get_secret_value())
    url = f"postgresql+psycopg://{server.account.user}@{server.endpoint}/ledger"
    settings = Settings(home=tmp_path, ledger=url, ledger_password_file=tmp_path / "password")
    ledger = open_ledger(settings)
    for number in (1, 2):
        ledger.record_deployment(DeploymentEntry(number, "core", NOW, seconds=1, outcome="good", steps=[]))
    ledger.record_drift(DriftEntry(NOW, release=2, drifts=[{"service": "shop"}]))
    services = [Service(name="shop", phase="core", file=tmp_path)]
    later = (NOW + timedelta(hours=1)).timestamp()
    found = figures(DriftCollector(settings, lambda: services, interval=30, now=lambda: later).collect())
    assert found == {("release_number", "core"): 2, ("drift_findings", "shop"): 1, ("drift_age_seconds",): 3600}


def test_dagster_is_read_from_the_database_that_its_file_names(server, tmp_path, monkeypatch):
    database(server, "dag ster")
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", server.account.password.get_secret_value())
    settings = Settings(home=tmp_path)
    settings.dagster_home.mkdir()
    fields = {
        "username": server.account.user, "password": {"env": "DAGSTER_PG_PASSWORD"}, "db_name": "dag ster",
        "hostname": server.endpoint.host, "port": server.endpoint.port,
    }  # fmt: skip
    written = {"storage": {"postgres": {"postgres_db": fields}}, "telemetry": {"enabled": False}}
    (settings.dagster_home / "dagster.yaml").write_text(yaml.safe_dump(written))

    @dg.job
    def nothing():
        """Does nothing."""

    begun = time.time()
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(begun, "SCHEDULER", "one", []))
        instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.NOT_STARTED)
    found = figures(DagsterCollector(settings, interval=30, now=lambda: begun + 1000).collect())
    assert found["dagster_daemon_heartbeat_age_seconds", "SCHEDULER"] == pytest.approx(1000, abs=0.01)
    assert found["dagster_runs_stuck",] == 1
    with pytest.raises(OpsError, match="read-only"), reading(storage(settings.dagster_home)) as ask:
        ask("DELETE FROM runs")


def test_a_server_that_is_away_or_refuses_is_one_sentence(server, tmp_path):
    (tmp_path / "password").write_text("wrong")
    url = f"postgresql://{server.account.user}@{server.endpoint}/postgres"
    for where, words in ((url, "authentication failed"), ("postgresql://ops@127.0.0.1:1/x", "does not answer")):
        settings = Settings(home=tmp_path, ledger=where, ledger_password_file=tmp_path / "password")
        with pytest.raises(Unreachable, match=words):
            DriftCollector(settings, list, interval=30).collect()
