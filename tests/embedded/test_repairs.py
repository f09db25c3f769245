"""Repairs of real servers: what is due is done, seen, and written down; and what is not due is left alone."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
import psutil
import psycopg
import pytest
from small_platform import judged, reason, watched_platform
from typer.testing import CliRunner

from sutazai_ops.cli import app
from sutazai_ops.engines import State
from sutazai_ops.engines.base import Full
from sutazai_ops.engines.postgres import connect as connect_postgres
from sutazai_ops.engines.redis import connect as connect_redis
from sutazai_ops.errors import OpsError, Refused, Unsupported
from sutazai_ops.ledger import IncidentEntry, ModeEntry, RepairEntry
from sutazai_ops.lock import exclusive
from sutazai_ops.orchestration import Operations
from sutazai_ops.remediation import repair, seeing
from sutazai_ops.remediation.actions import ACTIONS
from sutazai_ops.remediation.actions.caches import drop_cache
from sutazai_ops.remediation.actions.queries import Patience, end, end_in_full, servers_of
from sutazai_ops.remediation.actions.queues import Pace, dead_letter
from sutazai_ops.remediation.by_hand import run_by_hand
from sutazai_ops.remediation.curves import CURVES, FILE
from sutazai_ops.remediation.defs import repair_incident, watch_incidents
from sutazai_ops.remediation.follow import Follower
from sutazai_ops.remediation.observe import Watched, observe
from sutazai_ops.remediation.playbook import Action
from sutazai_ops.remediation.repair import carry_out, finish_dead, lock_of
from sutazai_ops.remediation.reporting import write_report
from sutazai_ops.remediation.situation import NOTHING
from sutazai_ops.remediation.verdict import Kind, Reason
from sutazai_ops.settings import AlertSettings, as_environment

pytestmark = pytest.mark.servers


class Listener:
    """A webhook that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[dict] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def listener():
    found = Listener()
    yield found
    found.server.shutdown()


@pytest.fixture(scope="module")
def here(tmp_path_factory, listener):
    home = tmp_path_factory.mktemp("a home")
    (home / "hook").write_text(f"http://127.0.0.1:{listener.server.server_port}/")
    receivers = {"hook": {"kind": "webhook", "url_file": home / "hook"}}
    with watched_platform(home, AlertSettings.model_validate({"receivers": receivers})) as installation:
        yield installation


@pytest.fixture
def watched(here, monkeypatch):
    """With nothing broken, every earlier incident over, and looks that follow each other faster."""
    monkeypatch.setattr(repair, "POLL_SECONDS", 3.0)
    found = Watched.of(here)
    here.engine.start("db")
    here.engine.start("cache")
    judged(found, lambda all_of_them: not any(one.incident.broken_since for one in all_of_them.values()))
    for one in here.ledger.incidents.open_ones():
        here.ledger.incidents.close(one.number, datetime.now(UTC), "the test", "")
    # What was done in an earlier test is not of this one: caps and cool-downs begin anew.
    with here.ledger._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM repairs")
    yield found
    set_mode(here, "observe")


def set_mode(here, mode: str) -> None:
    here.ledger.incidents.record_mode(ModeEntry(datetime.now(UTC), mode, "the test", ""))


def state_of(here, service: str) -> State:
    return next(one.state for one in here.engine.observe() if one.service == service)


def follow(watched: Watched, until, seconds: float = 90) -> list[str]:
    """Rounds that are followed, until something is so."""
    said: list[str] = []
    follower = Follower(watched, said.append)
    end_at = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end_at, said
        follower.follow(observe(watched, datetime.now(UTC)))
        time.sleep(0.5)
    follower.wait()
    return said


def test_what_is_stopped_is_started_again_and_seen_to_be_well(here, watched):
    set_mode(here, "act")
    log = here.ledger.incidents
    here.engine.stop("cache")
    follow(watched, lambda: [one for one in log.repairs_since(datetime.now(UTC).replace(year=2000)) if one.ended_at])
    (done,) = log.repairs_since(datetime.now(UTC).replace(year=2000))
    assert (done.target, done.rung, done.outcome, done.attempt, done.actor) == (
        "cache",
        "restart",
        "helped",
        1,
        "guard",
    )
    assert state_of(here, "cache") is State.RUNNING
    incident = log.find(done.incident)
    assert incident.broken_since is None
    begun = next(one for one in log.events_of(incident.number) if one.kind == "repair")
    file = here.settings.home / "incidents" / str(incident.number) / "diagnostics-1.txt"
    assert begun.detail["diagnostics"] == str(file)
    assert "== log" in file.read_text()
    assert re.search(r"^cache +stopped, health", file.read_text(), re.MULTILINE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page, _ = write_report(here, incident)
    (curve,) = CURVES.validate_json((file.parent / FILE).read_bytes())
    known = [value for value in curve.values if value is not None]
    # Whole, broken, and whole again.
    assert [known[0], max(known), known[-1]] == [0.0, 1.0, 0.0]
    assert 'class="curve"' in page.read_text()


def test_in_the_mode_observe_nothing_is_done(here, watched):
    here.engine.stop("cache")
    follow(watched, lambda: "cache" in {one.target for one in here.ledger.incidents.open_ones()})
    judged(watched, lambda found: reason(found, "cache") is Reason.OBSERVING)
    said: list[str] = []
    Follower(watched, said.append).follow(observe(watched, datetime.now(UTC)))
    assert said == []
    assert state_of(here, "cache") is State.STOPPED


def test_what_mended_itself_before_the_repair_began_is_left_alone(here, watched):
    set_mode(here, "act")
    here.engine.stop("cache")
    found = judged(watched, lambda found: "cache" in found and found["cache"].verdict.kind is Kind.ACT)
    here.engine.start("cache")
    number = found["cache"].incident.number
    judged(watched, lambda found: reason(found, "cache") is Reason.RECOVERING)
    assert carry_out(watched, number) == f"nothing: {Reason.RECOVERING}"
    assert here.ledger.incidents.repairs_of(number) == []
    assert "did nothing" in here.ledger.incidents.events_of(number)[-1].text


def test_of_two_at_once_one_acts(here, watched):
    set_mode(here, "act")
    here.engine.stop("cache")
    found = judged(watched, lambda found: "cache" in found and found["cache"].verdict.kind is Kind.ACT)
    with exclusive(lock_of(here, "cache"), "repair cache"):
        assert "holds the lock" in carry_out(watched, found["cache"].incident.number)
    assert here.ledger.incidents.repairs_of(found["cache"].incident.number) == []


def dead_restart(incident: int) -> RepairEntry:
    """A restart of the cache that nobody carries out."""
    return RepairEntry(
        id=0, incident=incident, target="cache", playbook="service-down", rung="restart", action="restart", attempt=1,
        holds_state=False, disrupts=True, actor="guard", started_at=datetime.now(UTC),
    )  # fmt: skip


def test_a_repair_whose_program_died_half_way_is_finished_by_the_next(here, watched):
    log = here.ledger.incidents
    here.engine.stop("cache")
    found = judged(watched, lambda found: "cache" in found)
    number = found["cache"].incident.number
    assert log.begin_repair(dead_restart(number)) is not None
    with exclusive(lock_of(here, "cache"), "repair cache"):
        assert finish_dead(watched) == []
    (said,) = finish_dead(watched)
    assert said.startswith("restart helped: the program that did it ended half-way")
    assert state_of(here, "cache") is State.RUNNING
    assert finish_dead(watched) == []


def test_an_incident_is_given_to_a_person_once(here, watched, listener):
    set_mode(here, "act")
    listener.heard.clear()
    log = here.ledger.incidents
    here.engine.stop("db")
    follow(watched, lambda: [one for one in log.open_ones() if one.escalated_at])
    judged(watched, lambda found: reason(found, "db") is Reason.WITH_A_PERSON)
    follow(watched, lambda: True)
    told = [one for one in listener.heard if one["commonLabels"]["alertname"] == "incident_needs_you"]
    (alert,) = [alert for one in told for alert in one["alerts"]]
    assert Reason.NO_BACKUP in alert["annotations"]["summary"]
    number = next(one.number for one in log.open_ones() if one.target == "db")
    assert alert["annotations"]["next"] == f"sutazai-ops incidents show {number}"
    assert log.repairs_of(number) == []
    assert state_of(here, "db") is State.STOPPED
    # Nothing was tried, and whoever was woken has the diagnostics all the same.
    assert (here.settings.home / "incidents" / str(number) / "diagnostics-0.txt").exists()
    assert "== log" in (here.settings.reports / "incidents" / f"{number}.html").read_text()


def test_where_nothing_can_be_written_but_the_ledger_a_person_is_told_and_the_repair_is_made(here, watched, listener):
    """A full disk kept its own repair from being made, and everybody from being told of it."""
    listener.heard.clear()
    log = here.ledger.incidents
    folders = [here.settings.home / "incidents", here.settings.reports / "incidents"]
    for folder in folders:
        if folder.exists():
            folder.rename(folder.with_name("aside"))
        folder.parent.mkdir(exist_ok=True)
        folder.touch()
    try:
        set_mode(here, "act")
        here.engine.stop("cache")
        follow(
            watched, lambda: [one for one in log.repairs_since(datetime.now(UTC).replace(year=2000)) if one.ended_at]
        )
        here.engine.stop("db")
        follow(watched, lambda: [one for one in log.open_ones() if one.escalated_at and one.target == "db"])
    finally:
        for folder in folders:
            folder.unlink()
            if folder.with_name("aside").exists():
                folder.with_name("aside").rename(folder)
    assert "incident_needs_you" in {one["commonLabels"]["alertname"] for one in listener.heard}
    assert state_of(here, "cache") is State.RUNNING


@pytest.fixture
def run(here, monkeypatch):
    for name in [name for name in os.environ if name.startswith("SUTAZAI_")]:
        monkeypatch.delenv(name)
    for name, value in as_environment(here.settings).items():
        monkeypatch.setenv(name, value)

    def call(*words: str):
        return CliRunner().invoke(app, [*words])

    return call


def test_what_is_proposed_is_done_once_a_person_agrees(here, watched, run):
    set_mode(here, "propose")
    here.engine.stop("cache")
    found = judged(watched, lambda found: reason(found, "cache") is Reason.APPROVAL)
    number = found["cache"].incident.number
    assert f"agree to restart: sutazai-ops incidents approve {number}" in run("incidents", "show", str(number)).stdout
    assert "restart is done in the next round" in run("incidents", "approve", str(number)).stdout
    follow(watched, lambda: [one for one in here.ledger.incidents.repairs_of(number) if one.ended_at])
    assert [one.outcome for one in here.ledger.incidents.repairs_of(number)] == ["helped"]


def test_by_hand_a_dry_run_says_what_would_be_done_and_a_real_one_does_it(here, watched, run):
    here.engine.stop("cache")
    judged(watched, lambda found: reason(found, "cache") is Reason.OBSERVING)
    dry = json.loads(run("remediation", "run", "service-down", "cache", "--dry-run", "--json").stdout)
    assert (dry["rung"], dry["said"].partition(": ")[2]) == ("restart", f"skip restart: {Reason.OBSERVING}")
    assert isinstance(run("remediation", "run", "service-down", "cache").exception, Refused)
    run("remediation", "mode", "propose")
    done = run("remediation", "run", "service-down", "cache", "--json")
    assert "restart helped" in json.loads(done.stdout)["said"]


def test_by_hand_too_what_holds_state_is_not_disrupted_without_a_backup(here, watched):
    set_mode(here, "propose")
    here.engine.stop("db")
    judged(watched, lambda found: reason(found, "db") is Reason.NO_BACKUP)
    with pytest.raises(Refused, match=f"nothing: {Reason.NO_BACKUP}"):
        run_by_hand(watched, "service-down", "db", "ann", dry_run=False)
    assert state_of(here, "db") is State.STOPPED


def test_whoever_has_an_incident_can_have_its_next_rung_done(here, watched, run):
    """A person who was woken asked for the repair by hand, and was told that a person has it."""
    set_mode(here, "propose")
    here.engine.stop("cache")
    found = judged(watched, lambda found: reason(found, "cache") is Reason.APPROVAL)
    run("incidents", "ack", str(found["cache"].incident.number))
    judged(watched, lambda found: reason(found, "cache") is Reason.WITH_A_PERSON)
    assert "restart helped" in run_by_hand(watched, "service-down", "cache", "ann", dry_run=False).said


def test_what_cannot_be_done_when_it_is_asked_for_is_not_agreed_to_for_later(here, watched):
    """A repair that a person asked for and was refused would have been made an hour later, unasked."""
    set_mode(here, "propose")
    here.engine.stop("cache")
    judged(watched, lambda found: reason(found, "cache") is Reason.APPROVAL)
    with exclusive(lock_of(here, "cache"), "try"), pytest.raises(Refused, match="nothing: cannot repair cache"):
        run_by_hand(watched, "service-down", "cache", "ann", dry_run=False)
    found = judged(watched, lambda found: reason(found, "cache") is Reason.APPROVAL)
    assert not here.ledger.incidents.approvals()[found["cache"].incident.number]
    assert state_of(here, "cache") is State.STOPPED


def test_what_does_not_last_cannot_be_mended_by_hand(watched):
    with pytest.raises(Refused, match="nothing to mend"):
        run_by_hand(watched, "service-down", "cache", "ann", dry_run=True)


# What each action does.


def incident_at(target: str, **labels: str) -> IncidentEntry:
    now = datetime.now(UTC)
    alerts = [{"threshold": "t", "labels": {"service": target, **labels}}]
    return IncidentEntry(1, target, "s", "s", "page", "", alerts, now, now)


def test_every_action_of_the_list_can_be_done():
    assert set(ACTIONS) == set(Action)


def test_a_session_that_forgot_its_transaction_is_ended_and_a_backup_is_not(here, watched):
    server = here.engine.server("db")
    assert servers_of(here, "cache") == ["db"]
    forgot = connect_postgres(server, application_name="shop")
    dump = connect_postgres(server, application_name="pg_dump")
    with closing(forgot), closing(dump):
        for session in (forgot, dump):
            session.execute("SELECT 1")
        time.sleep(1.5)
        with pytest.raises(Refused):
            ACTIONS[Action.END_QUERIES](here, incident_at("cache"))
        (said,) = end(server, Patience(blocking=1, running=1, idle_in_transaction=1))
        assert "idle in transaction" in said
        with pytest.raises(Exception, match=r"terminat|closed"):
            forgot.execute("SELECT 1")
        assert dump.execute("SELECT 1").fetchone() == (1,)


def test_where_a_server_takes_no_session_nothing_was_done_so_that_its_restart_need_not_wait(here, watched):
    here.engine.stop("db")
    with pytest.raises(Refused, match="db takes no session"):
        ACTIONS[Action.END_QUERIES](here, incident_at("db"))


def test_a_query_that_others_wait_for_is_ended_before_one_that_bothers_nobody(here, watched):
    server = here.engine.server("db")
    sessions = [connect_postgres(server, application_name="shop") for _ in range(3)]
    holder, waiter, harmless = sessions
    holder.execute("CREATE TABLE IF NOT EXISTS held (n int)")
    holder.commit()
    threads = [
        threading.Thread(target=ignoring(holder, "LOCK TABLE held; SELECT pg_sleep(30)")),
        threading.Thread(target=ignoring(harmless, "SELECT pg_sleep(8)")),
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    waiting = threading.Thread(target=ignoring(waiter, "SELECT * FROM held"))
    waiting.start()
    try:
        time.sleep(2)
        said = end(server, Patience(blocking=1, running=600, idle_in_transaction=600))
        assert len(said) == 1
        waiting.join(10)
        assert not waiting.is_alive()
        assert threads[1].is_alive()
    finally:
        for thread in [*threads, waiting]:
            thread.join(40)
        for session in sessions:
            session.close()


def test_a_server_whose_sessions_all_wait_for_a_lock_has_them_ended_and_then_what_they_wait_for(
    here, watched, monkeypatch, tmp_path
):
    """Every session was taken, so that none could be ended, and the server was restarted with all that it did."""
    server = here.engine.server("db")
    harmless, holder = (connect_postgres(server, application_name="shop") for _ in range(2))
    holder.execute("CREATE TABLE IF NOT EXISTS held (n int)")
    holder.commit()
    most = int(harmless.execute("SHOW max_connections").fetchone()[0])
    sessions, threads = [], [threading.Thread(target=ignoring(holder, "LOCK TABLE held; SELECT pg_sleep(60)"))]
    threads[0].start()
    time.sleep(1)
    try:
        with suppress(OpsError):
            for _ in range(most):
                sessions.append(connect_postgres(server, application_name="shop"))
                threads.append(threading.Thread(target=ignoring(sessions[-1], "SELECT * FROM held")))
                threads[-1].start()
        with pytest.raises(Full, match="db takes no further session"):
            connect_postgres(server)
        with pytest.raises(Refused, match="cannot run a command inside"):
            ACTIONS[Action.END_QUERIES](here, incident_at("db"))
        monkeypatch.setattr(here.engine, "execute", inside(here.engine.data_folder("db"), tmp_path))
        threads.append(threading.Timer(1, ask_anew, [server]))
        threads[-1].start()
        those, holding = end_in_full(here.engine, server, Patience(blocking=1, running=600, idle_in_transaction=600))
        assert those == f"{len(sessions)} sessions that waited for a lock were ended"
        assert "active" in holding
        assert harmless.execute("SELECT 1").fetchone() == (1,)
    finally:
        for thread in threads:
            thread.join(70)
        for session in [*sessions, holder, harmless]:
            session.close()


def ask_anew(server) -> None:
    with closing(connect_postgres(server, application_name="shop")) as session:
        ignoring(session, "SELECT * FROM held")()


def inside(data, folder):
    """Runs a command that sees the processes of one server alone, as it would inside its container."""

    def execute(service: str, argv: list[str]) -> str:
        postmaster = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        for one in postmaster.children():
            (folder / str(one.pid)).symlink_to(f"/proc/{one.pid}")
        return subprocess.run([*argv[:-1], str(folder)], capture_output=True, text=True, check=True).stdout

    return execute


def ignoring(session, text: str):
    def ask() -> None:
        # That it is ended is what is tested.
        with suppress(psycopg.Error):
            session.execute(text)

    return ask


def test_a_cache_is_dropped_and_nothing_else(here, watched):
    server = here.engine.server("cache")
    with closing(connect_redis(server)) as client, closing(connect_redis(server, 1)) as other:
        client.mset({f"page:{number}": "x" * 100 for number in range(1200)})
        client.mset({"pages": "kept", "session:page:1": "kept", "answer:1": "kept"})
        other.mset({"answer:1": "x", "page:1": "kept"})
        client.lpush("tasks", "kept")
        assert drop_cache(here, incident_at("cache")) == "1,201 keys of page:*, answer:* were dropped"
        assert sorted(client.keys()) == [b"answer:1", b"pages", b"session:page:1", b"tasks"]
        assert other.keys() == [b"page:1"]
        client.delete("answer:1", "pages", "session:page:1", "tasks")
        other.flushdb()
    with pytest.raises(Refused, match="the caches of cache are empty"):
        drop_cache(here, incident_at("cache"))
    with pytest.raises(Refused, match="nothing in db is called a cache"):
        drop_cache(here, incident_at("db"))


def test_the_oldest_entry_of_a_queue_is_put_aside_and_none_is_lost(here, watched):
    with closing(connect_redis(here.engine.server("cache"))) as client:
        client.delete("tasks", "tasks:dead-letter")
        client.lpush("tasks", "poison", "b", "c")
        assert "was put into the list tasks:dead-letter" in dead_letter(here, incident_at("cache", queue="tasks"))
        assert client.lrange("tasks", 0, -1) == [b"c", b"b"]
        assert client.lrange("tasks:dead-letter", 0, -1) == [b"poison"]
        client.delete("tasks")
    with pytest.raises(Refused, match="is empty"):
        dead_letter(here, incident_at("cache", queue="tasks"))
    with pytest.raises(Unsupported, match="is a stream"):
        dead_letter(here, incident_at("cache", queue="events"))
    with pytest.raises(Refused, match="names a queue"):
        dead_letter(here, incident_at("cache"))


def test_what_nobody_can_finish_is_put_aside_while_workers_give_it_back_and_all_else_is_done(here, watched):
    good = [json.dumps({"id": number, "queued_at": 1}).encode() for number in range(20)]
    bad = [json.dumps({"id": number, "queued_at": 1, "bad": True}).encode() for number in range(20, 26)]
    done: list[dict] = []
    is_over = threading.Event()

    def work() -> None:
        with closing(connect_redis(here.engine.server("cache"))) as client:
            while (taken := client.rpop("orders")) or not is_over.is_set():
                entry = json.loads(taken) if taken else {}
                if entry.get("bad"):
                    client.rpush("orders", json.dumps({**entry, "tries": entry.get("tries", 0) + 1}))
                elif entry:
                    done.append(entry)
                is_over.wait(0.01)

    with closing(connect_redis(here.engine.server("cache"))) as client:
        client.delete("orders", "orders:dead-letter")
        # At the end that work is taken from.
        client.lpush("orders", b"no JSON", *bad, *good)
        workers = [threading.Thread(target=work) for _ in range(2)]
        try:
            # What is no JSON would end a worker: it is put aside before they begin.
            said = [dead_letter(here, incident_at("cache", queue="orders"), Pace(quiet=0))]
            for worker in workers:
                worker.start()
            said += [dead_letter(here, incident_at("cache", queue="orders"), Pace(quiet=3, every=0.002))]
        finally:
            is_over.set()
            for worker in workers:
                worker.join()
        assert [one.rpartition(": ")[2] for one in said] == ["1", str(len(bad))]
        aside = client.lrange("orders:dead-letter", 0, -1)
        assert aside.pop() == b"no JSON"
        assert {json.loads(one)["id"] for one in aside} == set(range(20, 26))
        assert len(done) == len(good)
    with pytest.raises(Refused, match="no entry of orders was given back 5 times"):
        dead_letter(here, incident_at("cache", queue="orders"), Pace(quiet=0))


def test_no_more_is_put_aside_than_one_repair_may(here, watched):
    with closing(connect_redis(here.engine.server("cache"))) as client:
        client.delete("orders", "orders:dead-letter")
        client.lpush("orders", *(json.dumps({"id": number, "tries": 9}) for number in range(6)))
        dead_letter(here, incident_at("cache", queue="orders"), Pace(most=4, quiet=0))
        assert (client.llen("orders"), client.llen("orders:dead-letter")) == (2, 4)
        client.delete("orders", "orders:dead-letter")


def test_what_no_release_has_is_neither_made_anew_nor_put_back(here, watched):
    for action in (Action.RECREATE, Action.ROLL_BACK):
        with pytest.raises(Refused, match="no release has cache"):
            ACTIONS[action](here, incident_at("cache"))


def test_an_action_that_finds_nothing_to_do_is_not_tried_again(here, watched):
    """The next rung is then tried."""
    set_mode(here, "act")
    log = here.ledger.incidents
    here.engine.stop("cache")
    watched = replace(
        watched,
        playbooks={
            **watched.playbooks,
            "service-down": watched.playbooks["service-down"].model_copy(
                update={"ladder": watched.playbooks["service-down"].ladder[1:]}
            ),
        },
    )
    follow(watched, lambda: [one for one in log.open_ones() if one.escalated_at and one.target == "cache"], 120)
    (done,) = [one for one in log.repairs_since(datetime.now(UTC).replace(year=2000)) if one.target == "cache"]
    assert (done.rung, done.outcome, done.note) == ("recreate", NOTHING, "no release has cache")


class Here(Operations):
    """The test's own installation."""

    def open(self):
        return INSTALLATIONS[0]


INSTALLATIONS: list = []


def test_a_tick_of_the_sensor_launches_one_run_for_an_attempt_and_that_run_mends_it(here, watched):
    INSTALLATIONS[:] = [here]
    set_mode(here, "act")
    here.engine.stop("cache")
    judged(watched, lambda found: "cache" in found and found["cache"].verdict.kind is Kind.ACT)
    instance = dg.DagsterInstance.ephemeral()

    def tick(cursor):
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"operations": Here()})
        return watch_incidents(context)

    first = tick(None)
    (request,) = first.run_requests
    number = json.loads(json.dumps(request.tags))["ops/incident"]
    assert (request.tags["ops/service"], request.tags["ops/rung"]) == ("cache", "restart")
    assert json.loads(first.cursor)[number] == f"act restart: {Reason.DUE}"
    again = tick(first.cursor)
    assert [one.run_key for one in again.run_requests] == [request.run_key]
    run = repair_incident.execute_in_process(
        run_config=request.run_config, resources={"operations": Here()}, instance=instance
    )
    assert run.success
    (done,) = here.ledger.incidents.repairs_of(int(number))
    assert (done.outcome, done.run) == ("helped", run.run_id)
    after = tick(again.cursor)
    assert not after.run_requests
    assert after.skip_reason.skip_message == "no repair is due for 1 open incident"


def test_a_tick_of_the_sensor_launches_a_run_that_ends_a_repair_whose_program_died(here, watched):
    INSTALLATIONS[:] = [here]
    set_mode(here, "act")
    here.engine.stop("cache")
    due = judged(watched, lambda found: "cache" in found and found["cache"].verdict.kind is Kind.ACT)["cache"]
    log = here.ledger.incidents
    dead = log.begin_repair(dead_restart(due.incident.number))
    instance = dg.DagsterInstance.ephemeral()

    def tick():
        context = dg.build_sensor_context(instance=instance, resources={"operations": Here()})
        return watch_incidents(context)

    with exclusive(lock_of(here, "cache"), "repair cache"):
        assert not tick().run_requests
    (request,) = tick().run_requests
    assert request.run_key == f"dead:{dead.id}"
    run = repair_incident.execute_in_process(
        run_config=request.run_config, resources={"operations": Here()}, instance=instance
    )
    assert run.success
    (ended,) = [one for one in log.repairs_of(due.incident.number) if one.id == dead.id]
    assert (ended.outcome, "ended half-way" in ended.note) == ("helped", True)
    assert state_of(here, "cache") is State.RUNNING


def test_what_sees_is_started_again_when_nothing_can_be_seen_without_it(here, watched, monkeypatch):
    monkeypatch.setattr(seeing, "BLIND_FOR", timedelta(seconds=2))
    set_mode(here, "act")
    here.engine.stop("exporter")
    follow(watched, lambda: [one for one in here.ledger.incidents.recent(9) if one.target == "exporter"])
    (mine,) = [one for one in here.ledger.incidents.open_ones() if one.target == "exporter"]
    follow(watched, lambda: any(one.ended_at for one in here.ledger.incidents.repairs_of(mine.number)))
    (done,) = here.ledger.incidents.repairs_of(mine.number)
    assert (done.rung, done.outcome) == ("restart", "helped")
    assert state_of(here, "exporter") is State.RUNNING


def test_a_tick_in_which_nothing_is_broken_skips(here, watched):
    INSTALLATIONS[:] = [here]
    context = dg.build_sensor_context(instance=dg.DagsterInstance.ephemeral(), resources={"operations": Here()})
    assert watch_incidents(context).skip_reason.skip_message == "nothing is broken"


def test_a_watch_that_is_killed_in_the_middle_of_a_repair_is_gone_on_with_by_the_next(here, watched):
    """The program itself, as somebody runs it, and killed as a machine does."""
    set_mode(here, "act")
    log = here.ledger.incidents
    outside = {name: text for name, text in os.environ.items() if not name.startswith("SUTAZAI_")}
    environment = outside | as_environment(here.settings)
    command = [sys.executable, "-m", "sutazai_ops.cli", "remediation", "watch", "--every", "0.5"]

    def under_way() -> list[RepairEntry]:
        return [one for one in log.repairs_since(datetime.now(UTC)) if one.ended_at is None]

    def wait(until, seconds: float = 90) -> None:
        end_at = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end_at
            time.sleep(0.1)

    here.engine.stop("cache")
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(under_way)
    finally:
        first.kill()
        first.wait()
    (dead,) = under_way()
    second = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(lambda: not under_way())
    finally:
        second.terminate()
        second.wait(60)
    (ended,) = log.repairs_of(dead.incident)
    assert (ended.id, ended.outcome) == (dead.id, "helped")
    assert "ended half-way" in ended.note
    assert state_of(here, "cache") is State.RUNNING
