"""A whole night on real servers: what a set holds, what proves it, and what each rung notices."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import timedelta

import pytest

from sutazai_ops.backups import night, verify
from sutazai_ops.backups.manifest import Manifest, Outcome, Rung
from sutazai_ops.backups.night import Backups, prove_set, prune, rungs_due, take_set
from sutazai_ops.backups.preflight import rooms
from sutazai_ops.backups.stream import Writer, read_chunks
from sutazai_ops.engines.postgres import connect as connect_postgres
from sutazai_ops.engines.redis import connect as connect_redis
from sutazai_ops.errors import BadInput, OpsError, Refused, Unreachable
from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.settings import Loaded, Settings

pytestmark = pytest.mark.servers

FILL = """
    CREATE ROLE app LOGIN PASSWORD 'only-in-the-roles'; CREATE ROLE "odd ""role"; GRANT app TO "odd ""role";
    CREATE EXTENSION IF NOT EXISTS hstore;
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE TABLE parent (id int PRIMARY KEY, at date NOT NULL DEFAULT now());
    INSERT INTO parent SELECT n FROM generate_series(1, 5000) n;
    CREATE TABLE child (id int REFERENCES parent, mood mood NOT NULL, extra hstore, CHECK (id > 0)) ;
    INSERT INTO child SELECT n, 'good', 'a=>1' FROM generate_series(1, 300) n;
    CREATE UNIQUE INDEX only_once ON child (id);
    CREATE TABLE measured (at date NOT NULL, value int) PARTITION BY RANGE (at);
    CREATE TABLE measured_2026 PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE INDEX ON measured (value); INSERT INTO measured VALUES ('2026-05-05', 1), ('2026-06-06', 2);
    CREATE MATERIALIZED VIEW summed AS SELECT sum(value) FROM measured;
    CREATE SCHEMA "odd.schema"; CREATE TABLE "odd.schema"."odd table" ("a b" int); ALTER TABLE child OWNER TO app;
    SELECT lo_create(0);
"""


INVENTORY = ("postgres", "databases", "sutazai", "inventory")


@pytest.fixture(scope="module")
def backups(tmp_path_factory):
    home = tmp_path_factory.mktemp("a home")
    installation = Installation(Loaded(settings=Settings(home=home, engine="embedded"), origins={}))
    engine = installation.engine
    try:
        engine.apply(engine.plan(installation.platform.backed_up()), Silent())
        with connect_postgres(engine.server("postgres"), "sutazai") as connection:
            connection.execute(FILL)
        with connect_postgres(engine.server("postgres"), autocommit=True) as connection:
            connection.execute("ALTER DATABASE sutazai SET statement_timeout TO '7min'")
            connection.execute('CREATE DATABASE "an odd/name=x"')
        with closing(connect_redis(engine.server("redis"))) as client:
            client.mset({f"key:{n}": n for n in range(2000)})
            client.set("short", 1, ex=3600)
        yield Backups.of(installation)
    finally:
        for service in ("redis", "postgres"):
            engine.stop(service)


@pytest.fixture(scope="module")
def taken(backups):
    return take_set(backups, backups.services(), Silent())


@pytest.fixture
def copied(backups, taken, tmp_path):
    """A copy of the set that a test may damage."""
    from shutil import copytree

    from sutazai_ops.backups.sets import read_set

    folder = tmp_path / taken.id
    copytree(taken.folder, folder)
    return lambda: read_set(folder, backups.store.id)


def rewrite(folder, change) -> None:
    """Write a manifest anew, with sums that agree: what only a deeper rung can notice."""
    path = folder / "manifest.json"
    value = json.loads(path.read_bytes())
    change(value)
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(json.dumps(value))
    sums = folder / "SHA256SUMS"
    sums.write_text(sums.read_text().replace(old, hashlib.sha256(path.read_bytes()).hexdigest()))


def prove(backups, one, rungs=tuple(Rung)):
    with backups.bench() as bench:
        return verify.verify(one, bench, Silent(), rungs=rungs)


def test_a_set_comes_back_with_every_row_key_role_and_constraint(backups, taken):
    verification = prove_set(backups, taken, Silent())
    assert verification.outcome is Outcome.VERIFIED, verification.rungs
    assert [result.outcome for result in verification.rungs] == ["passed"] * len(Rung)
    assert verification.recovery_seconds > 0
    assert backups.store.find(taken.id).outcome is Outcome.VERIFIED
    assert backups.ledger.recent_sets(1)[0].outcome == "verified"


def test_the_manifest_counts_what_was_in_the_snapshot(taken):
    manifest = taken.manifest()
    database = manifest.services["postgres"].databases["sutazai"]
    assert database.inventory.rows == {
        "public.parent": 5000, "public.child": 300, "public.measured_2026": 2, '"odd.schema"."odd table"': 0,
    }  # fmt: skip
    assert database.settings == ("statement_timeout=7min",)
    assert database.inventory.indexes["public.only_once"] is True
    assert database.inventory.objects["large objects"] == 1
    assert {"app", 'odd "role'} <= set(manifest.services["postgres"].roles)
    assert manifest.services["redis"].keys == 2001
    assert manifest.services["redis"].expiring == 1


def test_rows_written_while_the_dump_runs_are_in_neither_the_dump_nor_the_count(backups, monkeypatch):
    postgres = backups.engine.server("postgres")

    write = Writer.write

    def write_and_insert(self, chunk) -> None:
        if self._path.name == "sutazai.dump.zst":
            with connect_postgres(postgres, "sutazai") as connection:
                connection.execute("INSERT INTO parent SELECT max(id) + 1 FROM parent")
        write(self, chunk)

    monkeypatch.setattr(Writer, "write", write_and_insert)
    one = take_set(backups, backups.services(["postgres"]), Silent())
    monkeypatch.undo()
    assert one.manifest().services["postgres"].databases["sutazai"].inventory.rows["public.parent"] == 5000
    verification = prove(backups, one)
    assert verification.outcome is Outcome.VERIFIED, verification.rungs
    with connect_postgres(postgres, "sutazai") as connection:
        assert connection.execute("SELECT count(*) FROM parent").fetchone()[0] > 5000
        connection.execute("DELETE FROM parent WHERE id > 5000")
    with backups.store.lock("clean up"):
        backups.store.delete(one)


def test_rung_0_notices_a_flipped_bit(backups, copied):
    path = copied().folder / "postgres/sutazai.dump.zst"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    verification = prove(backups, copied())
    assert verification.outcome is Outcome.CORRUPT
    assert [result.rung for result in verification.rungs] == [Rung.HASHES]


def test_rung_1_notices_an_archive_that_was_cut_before_it_was_hashed(backups, copied):
    one = copied()
    path = one.folder / "postgres/sutazai.dump.zst"
    raw = b"".join(read_chunks(path))
    path.unlink()
    with Writer(path, backups.settings.backup) as writer:
        writer.write(raw[: len(raw) * 6 // 10])
        stored = writer.finish()

    def change(value) -> None:
        artifact = next(a for a in value["artifacts"] if a["path"] == "postgres/sutazai.dump.zst")
        artifact |= {"stored_bytes": stored.stored_bytes, "sha256": stored.sha256}

    rewrite(one.folder, change)
    verification = prove(backups, copied())
    assert verification.outcome is Outcome.CORRUPT
    assert verification.rungs[-1].rung is Rung.ARCHIVES


def test_rung_2_notices_an_archive_that_reads_well_and_does_not_restore(backups, copied):
    one = copied()
    rewrite(one.folder, lambda value: value["services"]["postgres"]["databases"]["sutazai"].update(owner="nobody here"))
    verification = prove(backups, copied())
    assert verification.outcome is Outcome.CORRUPT
    assert verification.rungs[-1].rung is Rung.RESTORE


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ((*INVENTORY, "rows", "public.parent"), 5001, "rows 5000 instead of 5001"),
        ((*INVENTORY, "indexes", "public.gone"), True, "index public.gone is missing"),
        ((*INVENTORY, "constraints", "public.child.x"), True, "constraint public.child.x is missing"),
        ((*INVENTORY, "extensions", "hstore"), "0.9", "instead of 0.9"),
        (("postgres", "roles"), ["app", 'odd "role', "sutazai", "lost"], "role lost is missing"),
        (("redis", "keys"), 2002, "2001 keys were loaded instead of 2002"),
    ],
)
def test_rung_3_notices_each_difference(backups, copied, path, value, words):
    def change(manifest) -> None:
        place = manifest["services"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    rewrite(copied().folder, change)
    verification = prove(backups, copied())
    assert verification.outcome is Outcome.CORRUPT
    assert verification.rungs[-1].rung is Rung.CONTENT
    assert words in verification.rungs[-1].detail


def test_rung_4_notices_a_verifier_that_accepts_everything(backups, taken, monkeypatch):
    monkeypatch.setattr(verify, "check_hash", lambda _artifact, _path: None)
    verification = prove(backups, taken)
    assert verification.outcome is Outcome.COULD_NOT_CHECK
    assert verification.rungs[-1].rung is Rung.SELF_TEST
    assert "accepted a flipped copy" in verification.rungs[-1].detail


def test_a_missing_tool_is_not_called_corruption(backups, copied):
    def change(manifest) -> None:
        manifest["services"]["postgres"]["major"] = 17

    rewrite(copied().folder, change)
    verification = prove(backups, copied())
    assert verification.outcome is Outcome.COULD_NOT_CHECK
    assert "17" in verification.rungs[-1].detail


def test_a_redis_whose_modules_are_not_here_could_not_be_checked_and_they_are_named(backups, copied):
    def load(manifest) -> None:
        manifest["services"]["redis"]["modules"] = ["search"]

    rewrite(copied().folder, load)
    verification = prove(backups, copied())
    assert verification.outcome is Outcome.COULD_NOT_CHECK
    assert "the snapshot needs the modules search" in verification.rungs[-1].detail


def test_a_set_that_was_only_read_through_is_not_verified(backups, taken):
    assert prove(backups, taken, night.READ_THROUGH).outcome is Outcome.READ


def test_a_proof_leaves_no_server_and_no_file(backups, taken):
    prove(backups, taken)
    assert list(backups.settings.scratch.glob("[!.]*")) == []


def test_preflight_refuses_a_service_that_does_not_run(backups):
    backups.engine.stop("redis")
    try:
        before = backups.store.listing()
        with pytest.raises(Unreachable, match="redis"):
            take_set(backups, backups.services(), Silent())
        assert backups.store.listing().sets == before.sets
    finally:
        backups.engine.start("redis")


def test_preflight_refuses_a_disk_that_is_too_small_and_names_both_numbers(backups, monkeypatch):
    monkeypatch.setattr("sutazai_ops.backups.preflight.free_bytes", lambda _path: 1000)
    with pytest.raises(OpsError, match=r"1\.0 kB free and the backup needs about"):
        take_set(backups, backups.services(), Silent())


def test_preflight_refuses_an_exclusion_that_excludes_nothing(backups):
    (service,) = backups.services(["postgres"])
    odd = service.model_copy(update={"backup": service.backup.model_copy(update={"exclude_databases": ("sutzai",)})})
    with pytest.raises(BadInput, match="sutzai"):
        night.ready(backups, [odd])


def test_one_disk_has_to_hold_the_set_and_the_proof(backups):
    ready = night.ready(backups, backups.services())
    store, scratch = rooms(ready.estimates, one_disk=False)
    both, nothing = rooms(ready.estimates, one_disk=True)
    assert nothing == 0
    assert max(store, scratch) < both < store + scratch + 1


def test_a_second_run_is_refused_by_the_name_of_the_first(backups):
    with backups.store.lock("take a backup set"), pytest.raises(Refused, match=f"process {os.getpid()}"):
        take_set(backups, backups.services(), Silent())


def test_nothing_is_pruned_for_a_set_that_is_not_verified(backups, taken):
    fresh = take_set(backups, backups.services(["redis"]), Silent())
    plan, gone = prune(backups, new_set=fresh)
    assert (plan.refused, gone) == (f"the new set {fresh.id} is unverified, not verified", [])
    with backups.store.lock("clean up"):
        backups.store.delete(fresh)


def test_every_third_night_restores_where_the_setting_says_so(backups, taken):
    listing = backups.store.listing()
    assert rungs_due(listing, 1) == tuple(Rung)
    verified = [one for one in listing.sets if one.outcome is Outcome.VERIFIED]
    pretended = type(listing)((taken, *verified), complete=True, trouble=())
    assert rungs_due(pretended, 3) == night.READ_THROUGH
    assert rungs_due(type(listing)((taken,), complete=True, trouble=()), 3) == tuple(Rung)


def test_a_dagster_run_that_fails_says_first_what_to_do(backups, monkeypatch):
    from dagster import DagsterInstance

    monkeypatch.setenv("SUTAZAI_HOME", str(backups.settings.home))
    monkeypatch.setenv("SUTAZAI_ENGINE", "embedded")
    from sutazai_ops.definitions import defs

    backups.engine.stop("redis")
    try:
        with DagsterInstance.ephemeral() as instance:
            job = defs().resolve_job_def("nightly_backup")
            result = job.execute_in_process(instance=instance, raise_on_error=False)
    finally:
        backups.engine.start("redis")
    assert not result.success
    failed = [event.step_key for event in result.all_events if event.is_step_failure]
    assert failed == ["take_backup_set"]
    words = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert "redis does not run" in words.user_failure_data.description
    assert "sutazai-ops up" in words.user_failure_data.description


def test_the_dagster_job_takes_proves_and_prunes_and_shows_figures(backups, monkeypatch):
    from dagster import AssetKey, DagsterInstance

    monkeypatch.setenv("SUTAZAI_HOME", str(backups.settings.home))
    monkeypatch.setenv("SUTAZAI_ENGINE", "embedded")
    from sutazai_ops.definitions import defs

    with DagsterInstance.ephemeral() as instance:
        result = defs().resolve_job_def("nightly_backup").execute_in_process(instance=instance)
        assert result.success
        shown = {
            key: instance.get_latest_materialization_event(AssetKey(["backups", key])).asset_materialization.metadata
            for key in ("postgres", "redis", "restore_verification", "retention")
        }
        checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    newest = backups.store.find("newest")
    assert newest.outcome is Outcome.VERIFIED
    assert newest.manifest().run == result.run_id
    assert shown["postgres"]["rows"].value == newest.manifest().rows
    assert shown["redis"]["keys"].value == 2001
    assert shown["restore_verification"]["recovery_seconds"].value > 0
    assert shown["restore_verification"]["last_sets"].value.startswith("![")
    assert shown["retention"]["kept_sets"].value == len(backups.store.listing().sets)
    assert checks == dict.fromkeys(["hashes", "archives", "restore", "content", "self_test", "nothing_in_doubt"], True)
    secrets = [path.read_text().strip() for path in backups.settings.secrets.iterdir()]
    told = repr([event.to_json() if hasattr(event, "to_json") else repr(event) for event in result.all_events])
    assert secrets
    assert not [secret for secret in secrets if secret in told]


def test_a_set_of_another_store_is_listed_and_never_counted(backups, taken, tmp_path):
    from shutil import copytree

    from sutazai_ops.backups.store import Store

    other = Store(tmp_path / "other")
    assert other.id
    copytree(taken.folder, other.folder / taken.id)
    (listed,) = other.listing().sets
    assert listed.foreign
    with pytest.raises(BadInput, match="no verified"):
        other.find("latest-verified")
    assert isinstance(listed.manifest(), Manifest)


def test_the_terminal_runs_the_same_night_and_speaks_json(backups):
    environment = os.environ | {"SUTAZAI_HOME": str(backups.settings.home), "SUTAZAI_ENGINE": "embedded"}
    command = [sys.executable, "-m", "sutazai_ops.cli", "backup", "run", "--services", "redis", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["outcome"] == "verified"
    assert facts["restored_keys"] == 2001
    one = backups.store.find(facts["set"])
    assert one.summary.finished_at - one.summary.started_at < timedelta(seconds=60)
