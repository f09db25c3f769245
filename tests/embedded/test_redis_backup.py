"""A Redis snapshot from a live server into a set and back, with real servers on both ends."""

import random
import socket
import threading
import time
import tracemalloc
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from sutazai_ops.backups.kinds import Workbench
from sutazai_ops.backups.manifest import Manifest, new_set_id
from sutazai_ops.backups.redis import estimate, read_through, restored, take
from sutazai_ops.backups.redis.append_only import turn_append_only_on
from sutazai_ops.backups.redis.data_folder import Layout, layout_of, make_data_folder, swap_in
from sutazai_ops.backups.redis.restore import compare, unpack
from sutazai_ops.backups.replication import pull
from sutazai_ops.backups.store import Store
from sutazai_ops.backups.stream import Writer
from sutazai_ops.engines import toolchain
from sutazai_ops.engines.base import Account, Endpoint, ScratchOptions
from sutazai_ops.engines.embedded import EmbeddedEngine
from sutazai_ops.engines.redis import connect
from sutazai_ops.errors import Corrupt, OpsError, Refused, Unreachable
from sutazai_ops.platform.model import Backup, Embedded, Phase, Platform, Service
from sutazai_ops.progress import Silent
from sutazai_ops.settings import BackupSettings, Settings

pytestmark = pytest.mark.servers

VALKEY = toolchain.wheel_major("valkey")
SETTINGS = BackupSettings()
CACHE = Service(name="cache", phase="core", file=Path("core.yaml"), backup=Backup(kind="redis"))
DEBUGGABLE = {"enable-debug-command": "local", "repl-diskless-sync-delay": "0"}

FUNCTIONS = "#!lua name={}\nredis.register_function('{}_run', function(keys, args) return 1 end)"
FILL = """
redis.call('SELECT', ARGV[1])
local count = tonumber(ARGV[2])
for i = 1, count do
  local kind = i % 10
  if kind == 0 then redis.call('HSET', 'task:' .. i, 'state', 'done', 'agent', i % 97)
  elseif kind == 1 then redis.call('RPUSH', 'queue:' .. i, i, i + 1, i + 2)
  elseif kind == 2 then redis.call('SADD', 'tags:' .. i, 'a', 'b', i)
  elseif kind == 3 then redis.call('ZADD', 'rank:' .. i, i, 'one', i * 2, 'two')
  elseif kind == 4 then redis.call('XADD', 'events:' .. i, i .. '-1', 'field', 'value')
  elseif kind == 5 then redis.call('SET', 'session:' .. i, string.rep('x', i % 50), 'EX', 86400)
  else redis.call('SET', 'embedding:' .. i, string.rep(string.char(i % 256), i % 200)) end
end
"""


@dataclass(frozen=True)
class ASet:
    """A set under way, as the verifier gets it."""

    folder: Path
    manifest: Manifest

    @property
    def facts(self):
        return self.manifest.services["cache"]

    @property
    def snapshot(self):
        return self.folder / self.manifest.artifacts[0].path


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    service = CACHE.model_copy(update={"embedded": Embedded(server="valkey")})
    platform = Platform(
        folder=home, phases=(Phase(name="core", file=CACHE.file, services=("cache",)),), services={"cache": service}
    )
    return EmbeddedEngine(Settings(home=home, engine="embedded"), platform)


@pytest.fixture
def bench(engine, tmp_path):
    return Workbench(engine, SETTINGS, tmp_path)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def filled(engine):
    """200,000 keys of all types in four databases, a fifth of the strings with a time to live, and two libraries."""
    with engine.scratch("valkey", VALKEY, ScratchOptions(config=DEBUGGABLE)) as server:
        with closing(connect(server)) as client:
            for database, count in {0: 120_000, 1: 50_000, 5: 29_999, 9: 1}.items():
                client.eval(FILL, 0, database, count)
            for name in ("limits", "routing"):
                client.function_load(FUNCTIONS.format(name, name))
        yield server


@pytest.fixture
def small(engine):
    """A server with a hundred keys, free to be changed."""
    with engine.scratch("valkey", VALKEY, ScratchOptions(config=DEBUGGABLE)) as server:
        with closing(connect(server)) as client:
            client.eval(FILL, 0, 0, 100)
        yield server


@pytest.fixture(scope="module")
def taken(filled, tmp_path_factory):
    """One set of the filled server, for tests that only read it."""
    return take_set(Store(tmp_path_factory.mktemp("store")), filled)


def take_set(store, server, settings=SETTINGS):
    now = datetime.now(UTC)
    partial = store.begin(new_set_id(now))
    got = take(server, CACHE, partial, settings, Silent())
    manifest = Manifest(
        id=partial.id, store=store.id, environment="development", written_by="a test", started_at=now,
        taken_at=got.taken_at, finished_at=now, artifacts=got.artifacts, services={"cache": got.facts},
    )  # fmt: skip
    return ASet(partial.folder, manifest)


def digest(server):
    """The server's own hash over every key, value and whether it expires, of all databases."""
    with closing(connect(server)) as client:
        return client.execute_command("DEBUG", "DIGEST")


def size(server):
    with closing(connect(server)) as client:
        return client.dbsize()


def scratch_with(engine, files, **config):
    return engine.scratch("valkey", VALKEY, ScratchOptions(config=DEBUGGABLE | config, files=files))


def user(server, name, *rights):
    """The server as an account with a password of its own sees it."""
    with closing(connect(server)) as client:
        client.execute_command("ACL", "SETUSER", name, "on", ">correct-horse", "~*", *rights)
    return replace(server, account=Account(name, SecretStr("correct-horse")))


@contextmanager
def cut_after(server, count):
    """The server behind a wire that breaks after `count` bytes of answers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def relay():
        near, _ = listener.accept()
        with near, socket.create_connection((server.endpoint.host, server.endpoint.port)) as far:
            threading.Thread(target=forward, args=(near, far), daemon=True).start()
            left = count
            while left and (answer := far.recv(min(left, 65536))):
                near.sendall(answer)
                left -= len(answer)
            near.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=relay)
    thread.start()
    try:
        yield replace(server, endpoint=Endpoint("127.0.0.1", listener.getsockname()[1]))
    finally:
        listener.close()
        thread.join()


def forward(near, far):
    try:
        while asked := near.recv(65536):
            far.sendall(asked)
    except OSError:
        pass


def test_two_hundred_thousand_keys_of_every_type_come_back_exactly(engine, filled, taken, tmp_path):
    unpack(taken.snapshot, tmp_path / "dump.rdb")
    with scratch_with(engine, {"dump.rdb": tmp_path / "dump.rdb"}) as server:
        assert digest(server) == digest(filled)
        assert compare(taken.facts, server) == []


def test_the_manifest_knows_what_the_server_held(filled, taken):
    facts = taken.facts
    assert (facts.product, facts.major, facts.keys, facts.expiring) == ("valkey", VALKEY, 200_000, 20_000)
    assert facts.version == connect(filled).info()["valkey_version"]
    assert facts.keys_before == facts.keys_after == {"0": 120_000, "1": 50_000, "5": 29_999, "9": 1}
    assert facts.functions == ("limits", "routing")
    assert facts.append_only is False
    assert facts.modules == ()
    assert facts.used_memory > 1_000_000
    assert taken.manifest.artifacts[0].raw_bytes > taken.manifest.artifacts[0].stored_bytes


def test_a_restored_set_runs_in_a_server_of_its_own_and_is_gone_afterwards(taken, bench):
    with restored("cache", taken.manifest, taken.folder, bench) as back:
        assert back.compare() == []
        assert set(back.seconds) == {"cache: unpack", "cache: server"}
    assert list(bench.spool.iterdir()) == []


def test_a_manifest_that_promises_more_than_the_snapshot_holds_is_noticed(taken, bench):
    promised = taken.facts.model_copy(update={"keys": 200_001, "functions": ("limits", "lost", "routing")})
    manifest = taken.manifest.model_copy(update={"services": {"cache": promised}})
    with restored("cache", manifest, taken.folder, bench) as back:
        assert back.compare() == [
            "200000 keys were loaded instead of 200001",
            "function library lost is missing",
        ]


def test_keys_that_expire_between_the_backup_and_the_proof_are_no_difference(small, store, bench):
    with closing(connect(small)) as client:
        client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        for number in range(50):
            client.set(f"brief:{number}", "x", px=300)
        made = take_set(store, small)
        wait_until(lambda: client.pttl("brief:49") == -2)
    with restored("cache", made.manifest, made.folder, bench) as back:
        assert made.facts.keys == 150
        assert back.compare() == []


def test_a_server_that_is_written_to_meanwhile_is_backed_up_and_proved(small, store, bench):
    stop = threading.Event()

    def write():
        with closing(connect(small)) as client:
            for number in range(1_000_000):
                client.set(f"new:{number}", "x")
                client.delete(f"new:{number - 7}")
                if stop.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = take_set(store, small)
    finally:
        stop.set()
        writer.join()
    with restored("cache", made.manifest, made.folder, bench) as back:
        assert back.compare() == []


def test_a_backup_waits_for_a_save_that_is_under_way(small, store):
    with closing(connect(small)) as client:
        client.config_set("rdb-key-save-delay", 10_000)
        client.bgsave()
        client.config_set("rdb-key-save-delay", 0)
        assert client.info("persistence")["rdb_bgsave_in_progress"] == 1
        assert take_set(store, small).facts.keys == 100
        assert client.info("persistence")["rdb_last_bgsave_status"] == "ok"


def test_a_transfer_that_is_killed_fails_and_leaves_no_artifact(filled, store):
    partial = store.begin(new_set_id(datetime.now(UTC)))
    with closing(connect(filled)) as client:
        client.config_set("rdb-key-save-delay", 200)
        killer = threading.Thread(target=kill_replica, args=(filled,))
        killer.start()
        try:
            with pytest.raises(Unreachable, match="broke the transfer") as failed:
                take(filled, CACHE, partial, SETTINGS, Silent())
        finally:
            killer.join()
            client.config_set("rdb-key-save-delay", 0)
            wait_until(lambda: not client.info("persistence")["rdb_bgsave_in_progress"])
    assert failed.value.retryable
    assert [path for path in partial.folder.rglob("*") if path.is_file()] == []


def kill_replica(server):
    with closing(connect(server)) as client:
        wait_until(lambda: client.execute_command("CLIENT", "KILL", "TYPE", "replica"))


@pytest.mark.parametrize("count", [1, 100, 300, 100_000, 2_000_000])
def test_a_wire_that_breaks_anywhere_gives_no_snapshot(filled, count):
    with (
        cut_after(filled, count) as cut,
        pytest.raises(Unreachable, match="broke the transfer"),
        pull(cut, timeout=10) as chunks,
    ):
        for _ in chunks:
            pass


def test_a_transfer_that_takes_too_long_is_ended_and_leaves_no_artifact(filled, store):
    partial = store.begin(new_set_id(datetime.now(UTC)))
    with closing(connect(filled)) as client:
        client.config_set("rdb-key-save-delay", 200)
        try:
            with pytest.raises(Unreachable, match="in time"):
                take(filled, CACHE, partial, BackupSettings(transfer_timeout_seconds=1), Silent())
        finally:
            client.config_set("rdb-key-save-delay", 0)
            wait_until(lambda: not client.info("persistence")["rdb_bgsave_in_progress"])
    assert [path for path in partial.folder.rglob("*") if path.is_file()] == []


def test_a_wrong_password_is_told_once_and_never_shown(small):
    stranger = replace(small, account=Account(password=SecretStr("not-the-password")))
    with pytest.raises(OpsError, match="refuses the login") as refused, pull(stranger, timeout=10):
        pass
    assert not refused.value.retryable
    assert "not-the-password" not in str(refused.value)


def test_the_right_to_replicate_is_enough_and_what_may_not_be_asked_is_unknown(small, store, bench):
    made = take_set(store, user(small, "backup", "+psync", "+replconf", "+ping"))
    facts = made.facts
    assert (facts.keys, facts.product, facts.major) == (100, "valkey", VALKEY)
    assert (facts.append_only, facts.used_memory, facts.keys_before, facts.functions) == (None, None, {}, ())
    with restored("cache", made.manifest, made.folder, bench) as back:
        assert back.compare() == []


def test_an_account_without_the_right_is_told_how_to_get_it(small):
    reader = user(small, "reader", "+ping", "+get")
    with pytest.raises(OpsError, match="may not pull") as refused, pull(reader, timeout=10):
        pass
    assert "ACL SETUSER reader +psync" in refused.value.remedy


def test_the_estimate_is_not_below_what_the_backup_holds(filled, taken):
    wanted = estimate(filled, CACHE)
    assert wanted.raw_bytes >= taken.manifest.artifacts[0].raw_bytes
    assert wanted.version == taken.facts.version


def test_every_flipped_bit_is_noticed(filled, taken, tmp_path):
    whole = taken.snapshot.read_bytes()
    dice = random.Random(20261124)
    for offset in [dice.randrange(len(whole)) for _ in range(20)]:
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << dice.randrange(8)
        (tmp_path / "flipped").write_bytes(damaged)
        with pytest.raises(Corrupt):
            read_through(taken.manifest.artifacts[0], tmp_path / "flipped", filled.tools())


def test_every_truncation_is_noticed(filled, taken, tmp_path):
    whole = taken.snapshot.read_bytes()
    dice = random.Random(20261124)
    for length in [0, len(whole) - 1, *(dice.randrange(len(whole)) for _ in range(20))]:
        (tmp_path / "short").write_bytes(whole[:length])
        with pytest.raises(Corrupt):
            read_through(taken.manifest.artifacts[0], tmp_path / "short", filled.tools())


def test_a_snapshot_that_was_damaged_before_it_was_compressed_is_noticed(filled, taken, tmp_path):
    """The frame's checksum holds then; only what check-rdb reads can tell."""
    unpack(taken.snapshot, tmp_path / "whole.rdb")
    whole = (tmp_path / "whole.rdb").read_bytes()
    dice = random.Random(20261124)
    flipped = bytearray(whole)
    flipped[dice.randrange(len(whole))] ^= 4
    for number, damaged in enumerate([bytes(flipped), whole[:-1], whole[: len(whole) // 2], b"", whole + b"more"]):
        path = tmp_path / f"{number}.zst"
        with Writer(path, SETTINGS) as writer:
            writer.write(damaged)
            writer.finish()
        with pytest.raises(Corrupt, match="snapshot"):
            read_through(taken.manifest.artifacts[0], path, filled.tools())


def test_a_whole_snapshot_is_read_through(filled, taken):
    read_through(taken.manifest.artifacts[0], taken.snapshot, filled.tools())


def test_the_trap_a_dump_under_an_append_only_server_gives_no_keys(engine, taken, tmp_path):
    """Why a restore is never a copy of dump.rdb: with appendonly yes the server starts empty and says nothing."""
    unpack(taken.snapshot, tmp_path / "dump.rdb")
    with scratch_with(engine, {"dump.rdb": tmp_path / "dump.rdb"}, appendonly="yes") as server:
        assert size(server) == 0


@pytest.mark.parametrize("layout", list(Layout))
def test_a_data_folder_made_of_a_snapshot_starts_with_everything(engine, filled, taken, bench, layout):
    target = bench.spool / "made"
    make_data_folder("cache", taken.manifest, taken.folder, target, layout, bench)
    setting = "yes" if layout is Layout.APPEND_ONLY else "no"
    with scratch_with(engine, {path.name: path for path in target.iterdir()}, appendonly=setting) as server:
        assert digest(server) == digest(filled)
    assert [path.name for path in bench.spool.iterdir()] == ["made"]


def test_a_folder_with_data_in_it_is_never_restored_into(taken, bench):
    target = bench.spool / "used"
    target.mkdir()
    (target / "dump.rdb").write_bytes(b"somebody's data")
    with pytest.raises(Refused, match="not empty"):
        make_data_folder("cache", taken.manifest, taken.folder, target, Layout.SNAPSHOT, bench)
    assert (target / "dump.rdb").read_bytes() == b"somebody's data"


def test_a_data_folder_that_differs_from_the_manifest_is_not_made(taken, bench):
    manifest = taken.manifest.model_copy(
        update={"services": {"cache": taken.facts.model_copy(update={"keys": 200_001})}}
    )
    with pytest.raises(Corrupt, match="200000 keys were loaded instead of 200001"):
        make_data_folder("cache", manifest, taken.folder, bench.spool / "made", Layout.APPEND_ONLY, bench)
    assert list(bench.spool.iterdir()) == []


def test_turning_the_append_only_file_on_keeps_everything_over_a_restart(engine, filled, taken, tmp_path):
    unpack(taken.snapshot, tmp_path / "dump.rdb")
    with scratch_with(engine, {"dump.rdb": tmp_path / "dump.rdb"}) as server:
        turn_append_only_on(server, timeout=60)
        folder = Path(process_of(server).cwd()) / "appendonlydir"
        folder.rename(tmp_path / "appendonlydir")
    with scratch_with(engine, {"appendonlydir": tmp_path / "appendonlydir"}, appendonly="yes") as server:
        assert digest(server) == digest(filled)


def process_of(server):
    with closing(connect(server)) as client:
        return psutil.Process(client.info("server")["process_id"])


@pytest.fixture
def live(engine):
    """The service `cache` of the embedded engine, with keys that a backup does not hold."""
    engine.start("cache")
    with closing(connect(engine.server("cache"))) as client:
        client.flushall()
        client.set("today", "not in the backup")
    yield engine
    engine.stop("cache")


def test_a_swap_gives_the_service_the_snapshot_and_keeps_the_old_data(live, taken, bench):
    prepared = live.data_folder("cache").parent / "prepared"
    make_data_folder("cache", taken.manifest, taken.folder, prepared, Layout.APPEND_ONLY, bench)
    aside = swap_in(live, "cache", prepared, taken.facts, "data.before")
    assert compare(taken.facts, live.server("cache")) == []
    live.restart("cache")
    assert size(live.server("cache")) == 120_000
    assert (aside / "appendonlydir").is_dir()
    assert not prepared.exists()


def test_a_swap_never_puts_old_data_over_older(live, taken, bench):
    prepared = live.data_folder("cache").parent / "prepared-in-vain"
    make_data_folder("cache", taken.manifest, taken.folder, prepared, Layout.APPEND_ONLY, bench)
    older = live.data_folder("cache").parent / "data.kept"
    older.mkdir()
    (older / "dump.rdb").write_bytes(b"older data")
    with pytest.raises(Refused, match="not empty"):
        swap_in(live, "cache", prepared, taken.facts, older.name)
    assert (older / "dump.rdb").read_bytes() == b"older data"
    assert size(live.server("cache")) == 1


def test_a_swap_to_what_does_not_load_puts_the_old_data_back(live, taken, bench):
    prepared = live.data_folder("cache").parent / "prepared-wrongly"
    make_data_folder("cache", taken.manifest, taken.folder, prepared, Layout.SNAPSHOT, bench)
    with pytest.raises(Corrupt, match="loaded 0 keys instead of 200000"):
        swap_in(live, "cache", prepared, taken.facts, "data.before-another")
    with closing(connect(live.server("cache"))) as client:
        assert client.get("today") == b"not in the backup"
    assert (prepared / "dump.rdb").is_file()


def test_the_layout_is_the_one_that_the_server_had(small, store):
    unknown = take_set(store, user(small, "backup", "+psync", "+replconf", "+ping")).facts
    with pytest.raises(Refused, match="append-only"):
        layout_of(unknown)
    assert layout_of(unknown.model_copy(update={"append_only": False})) is Layout.SNAPSHOT
    assert layout_of(unknown.model_copy(update={"append_only": True})) is Layout.APPEND_ONLY


def test_fifty_megabytes_pass_without_being_held(engine):
    with engine.scratch("valkey", VALKEY, ScratchOptions(config=DEBUGGABLE)) as server:
        with closing(connect(server)) as client:
            client.config_set("rdbcompression", "no")
            for number in range(50):
                client.set(f"large:{number}", random.Random(number).randbytes(1_000_000))
        tracemalloc.start()
        with pull(server, timeout=60) as chunks:
            passed = sum(map(len, chunks))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert passed > 50_000_000
    assert peak < 4_000_000


@pytest.mark.debian
@pytest.mark.parametrize("layout", list(Layout))
def test_debians_redis_7_comes_back_exactly_in_either_layout(engine, store, bench, layout):
    with engine.scratch("redis", 7, ScratchOptions(config=DEBUGGABLE)) as server:
        with closing(connect(server)) as client:
            client.eval(FILL, 0, 0, 2_000)
            client.eval(FILL, 0, 3, 500)
            client.function_load(FUNCTIONS.format("limits", "limits"))
        made = take_set(store, user(server, "backup", "+psync", "+replconf", "+ping", "+info", "+function|list"))
        before = digest(server)
    assert (made.facts.product, made.facts.keys, made.facts.functions) == ("redis", 2_500, ("limits",))
    with restored("cache", made.manifest, made.folder, bench) as back:
        assert back.compare() == []
    target = bench.spool / "made"
    make_data_folder("cache", made.manifest, made.folder, target, layout, bench)
    config = DEBUGGABLE | {"appendonly": "yes" if layout is Layout.APPEND_ONLY else "no"}
    options = ScratchOptions(config=config, files={path.name: path for path in target.iterdir()})
    with engine.scratch("redis", 7, options) as server:
        assert digest(server) == before


def wait_until(fact, seconds=30):
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
