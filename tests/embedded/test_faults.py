"""What a night leaves behind when something breaks in the middle of it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from shutil import copytree
from threading import Thread

import psutil
import pytest
from redis.exceptions import ResponseError

from sutazai_ops.backups.manifest import Outcome, Rung
from sutazai_ops.backups.night import Backups, prove_set, take_set
from sutazai_ops.backups.postgres import swap
from sutazai_ops.backups.restore import Wish, apply, plan
from sutazai_ops.backups.stream import Writer, read_chunks
from sutazai_ops.backups.verify import _Proof, check_hash, verify
from sutazai_ops.engines import account
from sutazai_ops.engines.postgres import connect as connect_postgres
from sutazai_ops.engines.postgres import told as told_of
from sutazai_ops.engines.postgres import unhurried
from sutazai_ops.engines.redis import connect as connect_redis
from sutazai_ops.errors import Corrupt, OpsError, Unreachable
from sutazai_ops.installation import Installation
from sutazai_ops.progress import Silent
from sutazai_ops.settings import BackupSettings, Loaded, Settings

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def backups(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, engine="embedded", backup=BackupSettings(lock_timeout_seconds=1))
    installation = Installation(Loaded(settings=settings, origins={}))
    engine = installation.engine
    try:
        engine.apply(engine.plan(installation.platform.backed_up()), Silent())
        with connect_postgres(engine.server("postgres"), "sutazai") as connection:
            connection.execute("CREATE TABLE t AS SELECT n, md5(n::text) AS words FROM generate_series(1, 300000) n")
        with closing(connect_redis(engine.server("redis"))) as client:
            client.mset({f"k{n}": "v" * 50 for n in range(20_000)})
        yield Backups.of(installation)
    finally:
        for service in ("redis", "postgres"):
            engine.stop(service)


def environment(backups):
    return os.environ | {"SUTAZAI_HOME": str(backups.settings.home), "SUTAZAI_ENGINE": "embedded"}


def night(backups) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sutazai_ops.cli", "backup", "run"]
    return subprocess.Popen(command, env=environment(backups), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def names(backups) -> list[str]:
    return [path.name for path in backups.settings.backup_store.glob("*/")]


def test_a_night_killed_at_any_point_leaves_only_whole_sets_and_the_next_one_succeeds(backups):
    started = time.monotonic()
    whole = night(backups)
    assert whole.wait() == 0
    lasts = time.monotonic() - started
    for point in range(1, 13):
        run = night(backups)
        with suppress(subprocess.TimeoutExpired):
            run.wait(lasts * point / 13)
        run.kill()
        run.communicate()
        listing = backups.store.listing()
        assert [one.problem for one in listing.sets] == [""] * len(listing.sets)
        for one in listing.sets:
            for artifact in one.manifest().artifacts:
                check_hash(artifact, one.folder / artifact.path)
    after = night(backups)
    assert after.wait() == 0, after.stderr
    assert [name for name in names(backups) if name.startswith(".")] == []
    assert list(backups.settings.scratch.glob("[!.]*")) == []
    assert dumps_of(backups) == []
    newest = backups.store.find("newest")
    assert newest.outcome is Outcome.VERIFIED


def on_terminal(environment: dict[str, str], words: list[str], until: str, keys: bytes) -> tuple[int, str]:
    """Run a command on a terminal of its own, press `keys` once it has shown `until`; its exit code, all it showed."""
    process, terminal = os.forkpty()
    if process == 0:
        # Whoever started the tests may ignore it, and children inherit that; a shell at a terminal does not.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(sys.executable, [sys.executable, "-m", "sutazai_ops.cli", *words], environment)
    shown, pressed = "", False
    # Linux says EIO when the last process has left the terminal.
    with os.fdopen(terminal, "rb+", buffering=0) as screen, suppress(OSError):
        while part := screen.read(4096):
            shown += part.decode(errors="replace")
            if not pressed and until in shown:
                pressed = True
                screen.write(keys)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown


def test_ctrl_c_ends_a_night_with_one_sentence_and_leaves_only_whole_sets(backups):
    before = {one.id for one in backups.store.listing().sets}
    # A locked table holds the night up where it is, however fast the machine.
    with connect_postgres(backups.engine.server("postgres"), "sutazai") as connection:
        connection.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        code, shown = on_terminal(environment(backups), ["backup", "run"], until="sutazai", keys=b"\x03")
    assert code == 130
    assert "interrupted; nothing half-done stays" in shown
    assert "Traceback" not in shown
    assert {one.id for one in backups.store.listing().sets} == before
    assert dumps_of(backups) == []
    assert list(backups.settings.scratch.glob("[!.]*")) == []


class Meanwhile:
    """Does something once, when the dump of a database has begun."""

    def __init__(self, monkeypatch, act) -> None:
        write, done = Writer.write, []

        def write_and_act(writer, chunk) -> None:
            if not done and writer._path.name == "sutazai.dump.zst":
                done.append(True)
                act()
            write(writer, chunk)

        monkeypatch.setattr(Writer, "write", write_and_act)


def refused(backups, services=None) -> OpsError:
    before = names(backups)
    with pytest.raises(OpsError) as told:
        take_set(backups, backups.services(services), Silent())
    assert names(backups) == before
    return told.value


def dumps_of(backups) -> list[psutil.Process]:
    """Every pg_dump that works on this home's server: its password file lies in our scratch folder."""
    found = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            place = process.environ().get("PGPASSFILE", "") if process.info["name"] == "pg_dump" else ""
            found += [process] if place.startswith(str(backups.settings.scratch)) else []
    return found


def kill_pg_dump(backups) -> None:
    for process in dumps_of(backups):
        process.send_signal(signal.SIGKILL)


def test_a_pg_dump_that_is_killed_leaves_no_set_and_one_sentence(backups, monkeypatch):
    Meanwhile(monkeypatch, lambda: kill_pg_dump(backups))
    assert "signal 9" in refused(backups).what


def test_a_database_that_is_dropped_meanwhile_leaves_no_set(backups, monkeypatch):
    server = backups.engine.server("postgres")
    with connect_postgres(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE aaa TEMPLATE sutazai")
    write = Writer.write

    def write_and_drop(writer, chunk) -> None:
        if writer._path.name == "aaa.dump.zst":
            with connect_postgres(server, autocommit=True) as connection:
                connection.execute("DROP DATABASE IF EXISTS aaa WITH (FORCE)")
        write(writer, chunk)

    monkeypatch.setattr(Writer, "write", write_and_drop)
    try:
        error = refused(backups)
    finally:
        with connect_postgres(server, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS aaa WITH (FORCE)")
    assert "Traceback" not in str(error)


def test_a_table_that_stays_locked_is_named(backups):
    with connect_postgres(backups.engine.server("postgres"), "sutazai") as connection:
        connection.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        error = refused(backups, ["postgres"])
    assert isinstance(error, Unreachable)
    assert "public.t" in error.what


def test_a_ledger_that_cannot_be_opened_is_told_and_costs_no_set(backups):
    def closed():
        raise OpsError("the ledger cannot be opened")

    there = Backups(backups.settings, backups.platform, backups.engine, closed)
    before = names(backups)
    with pytest.raises(OpsError, match="the ledger cannot be opened"):
        take_set(there, there.services(["redis"]), Silent())
    assert len(names(backups)) == len(before) + 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_fills_up_in_the_middle_leaves_the_sets_that_are_there(backups, monkeypatch, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        settings = backups.settings.model_copy(update={"backup": BackupSettings(store=small / "store")})
        there = Backups(settings, backups.platform, backups.engine, backups.open_ledger)
        monkeypatch.setattr("sutazai_ops.backups.preflight.free_bytes", lambda _path: 10**12)
        kept = take_set(there, there.services(["redis"]), Silent())
        error = refused(there, ["postgres"])
        assert "the disk is full" in error.what
        assert str(small) in error.where
        assert [one.id for one in there.store.listing().sets] == [kept.id]
        for artifact in kept.manifest().artifacts:
            check_hash(artifact, kept.folder / artifact.path)
    finally:
        subprocess.run(["umount", small], check=True)


def test_timeouts_that_a_server_sets_for_its_users_end_neither_a_dump_nor_its_proof(backups, monkeypatch):
    """The snapshot was ended while pg_dump still worked in it, and a long count would have been."""
    server = backups.engine.server("postgres")
    with connect_postgres(server, autocommit=True) as connection:
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(f"ALTER DATABASE sutazai SET {name} TO '500ms'")
    try:
        with monkeypatch.context() as patch:
            Meanwhile(patch, lambda: time.sleep(1.5))
            one = take_set(backups, backups.services(["postgres"]), Silent())
        assert prove_set(backups, one, Silent()).outcome is Outcome.VERIFIED
        with connect_postgres(server, "sutazai") as connection:
            unhurried(connection)
            assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
    finally:
        with connect_postgres(server, autocommit=True) as connection:
            connection.execute("ALTER DATABASE sutazai RESET ALL")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("megabytes", [10, 50, 60, 80])
def test_a_proof_that_runs_out_of_disk_could_not_check_and_calls_nothing_corrupt(backups, megabytes):
    one = take_set(backups, backups.services(["postgres"]), Silent())
    scratch = backups.settings.scratch
    size = f"size={megabytes}m,mode=755"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", scratch], check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        verification = prove_set(backups, one, Silent())
        left = list(scratch.glob("[!.]*"))
    finally:
        subprocess.run(["umount", scratch], check=True)
    assert verification.outcome is Outcome.COULD_NOT_CHECK
    assert left == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_live_server_whose_disk_is_full_is_one_sentence_and_keeps_nothing_of_the_restore(backups, tmp_path):
    server = backups.engine.server("postgres")
    one = take_set(backups, backups.services(["postgres"]), Silent())
    small = backups.settings.home / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "tmpfs", small], check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    place = small / "place"
    place.mkdir()
    account.give(place)
    try:
        with connect_postgres(server, autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
            connection.execute("ALTER ROLE CURRENT_USER SET default_tablespace TO small")
        there = swap.database_names(server)
        steps = plan(backups, one, Wish(service="postgres", database="sutazai"))
        with pytest.raises(OpsError) as told:
            list(apply(backups, one, steps, Silent()))
        assert "No space left on device" in told.value.what
        assert swap.database_names(server) == there
        with pytest.raises(OpsError) as told, told_of(server), connect_postgres(server) as connection:
            connection.execute("CREATE TABLE t AS SELECT repeat('x', 100) FROM generate_series(1, 100000)")
        assert "has no room on its disk left: could not extend file" in told.value.what
    finally:
        with connect_postgres(server, autocommit=True) as connection:
            connection.execute("ALTER ROLE CURRENT_USER RESET default_tablespace")
            connection.execute("DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", small], check=True)
        small.rmdir()


def test_a_redis_that_dies_during_the_transfer_leaves_no_set(backups, monkeypatch):
    write = Writer.write

    def write_and_kill(writer, chunk) -> None:
        if writer._path.name == "snapshot.rdb.zst" and not killed:
            killed.append(True)
            with closing(connect_redis(backups.engine.server("redis"))) as client:
                client.client_kill_filter(_type="replica")
        write(writer, chunk)

    killed: list[bool] = []
    with closing(connect_redis(backups.engine.server("redis"))) as client:
        # Larger than all buffers on the way, so that the transfer still goes on when it is cut.
        client.mset({f"large:{n}": os.urandom(1_000_000) for n in range(60)})
        monkeypatch.setattr(Writer, "write", write_and_kill)
        error = refused(backups, ["redis"])
        client.delete(*(f"large:{n}" for n in range(60)))
    assert error.retryable


def test_a_redis_that_saves_meanwhile_is_backed_up(backups):
    with closing(connect_redis(backups.engine.server("redis"))) as client, suppress(ResponseError):
        client.bgsave()  # refused where one is under way already, which serves as well
    one = take_set(backups, backups.services(["redis"]), Silent())
    assert one.manifest().keys >= 20_000


def test_a_wrong_password_is_one_sentence_and_no_retry(backups):
    file = backups.settings.secrets / "postgres_password"
    right = file.read_text()
    file.write_text("not-the-password")
    try:
        error = refused(backups)
    finally:
        file.write_text(right)
    assert "password" in error.what
    assert not error.retryable
    assert "not-the-password" not in str(error)


def test_two_hundred_flipped_bits_and_fifty_truncations_are_all_noticed(backups, tmp_path):
    one = backups.store.find("latest-verified")
    manifest = one.manifest()
    chance = random.Random(20261123)
    damaged = tmp_path / "damaged"
    with backups.bench() as bench:
        proof = _Proof(manifest, one.folder, bench)
        for number in range(250):
            artifact = chance.choice(manifest.artifacts)
            content = bytearray((one.folder / artifact.path).read_bytes())
            if number < 200:
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            else:
                del content[chance.randrange(len(content)) :]
            damaged.write_bytes(content)
            with pytest.raises(Corrupt):
                check_hash(artifact, damaged)
            assert number < 200 or reads_differently(proof, artifact, damaged)
            assert reads_differently(proof, artifact, damaged) or same_content(one.folder / artifact.path, damaged)


def reads_differently(proof, artifact, damaged) -> bool:
    """Whether reading it through notices."""
    try:
        proof.read_through(artifact, damaged)
    except Corrupt:
        return True
    return False


def same_content(path, damaged) -> bool:
    """Whether the bit is one of the frame's head that says nothing of the content (RFC 8878, section 3.1.1.1)."""
    return b"".join(read_chunks(path)) == b"".join(read_chunks(damaged))


def test_no_password_is_seen_while_a_night_runs_nor_found_in_a_file_afterwards(backups):
    secrets = [path.read_text().strip() for path in backups.settings.secrets.iterdir()]
    seen: list[str] = []
    running = True

    def look() -> None:
        while running:
            for process in psutil.process_iter():
                with suppress(psutil.Error, OSError):
                    seen.extend(process.cmdline())
                    seen.extend(f"{key}={value}" for key, value in process.environ().items())

    watcher = Thread(target=look)
    watcher.start()
    try:
        one = take_set(backups, backups.services(), Silent())
        prove_set(backups, one, Silent())
    finally:
        running = False
        watcher.join()
    assert any("PGPASSFILE" in word for word in seen)
    assert not [word for word in seen for secret in secrets if secret in word]
    home = backups.settings.home
    files = [path for path in home.rglob("*") if path.is_file() and not {"secrets", "embedded"} & set(path.parts)]
    assert files
    assert not [path for path in files for secret in secrets if secret.encode() in path.read_bytes()]


def test_a_dropped_table_comes_back_by_a_swap_and_the_old_database_is_kept(backups):
    server = backups.engine.server("postgres")
    with connect_postgres(server, "sutazai") as connection:
        connection.execute("DROP TABLE t")
    one = backups.store.find("latest-verified")
    steps = plan(backups, one, Wish(service="postgres", database="sutazai", swap=True))
    (done,) = apply(backups, one, steps, Silent())
    assert done.amount == 300_000
    with connect_postgres(server, "sutazai") as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (300_000,)
    with connect_postgres(server, done.step.aside) as connection:
        assert connection.execute("SELECT to_regclass('t')").fetchone() == (None,)
    assert backups.ledger.recent_restores(1)[0].swapped


def test_everything_comes_back_in_a_new_home_from_a_copied_store(backups, tmp_path):
    one = backups.store.find("latest-verified")
    copytree(backups.settings.backup_store, tmp_path / "copied store")
    settings = Settings(
        home=tmp_path / "new", engine="embedded", backup=BackupSettings(store=tmp_path / "copied store")
    )
    installation = Installation(Loaded(settings=settings, origins={}))
    engine = installation.engine
    try:
        engine.apply(engine.plan(installation.platform.backed_up()), Silent())
        there = Backups.of(installation)
        found = there.store.find(one.id)
        assert not found.foreign
        list(apply(there, found, plan(there, found, Wish(swap=True)), Silent()))
        with connect_postgres(engine.server("postgres"), "sutazai") as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (300_000,)
        with closing(connect_redis(engine.server("redis"))) as client:
            assert client.dbsize() == one.manifest().keys
    finally:
        for service in ("redis", "postgres"):
            engine.stop(service)


def test_a_set_that_was_read_through_only_is_never_called_verified(backups):
    one = take_set(backups, backups.services(["redis"]), Silent())
    with backups.bench() as bench:
        assert verify(one, bench, Silent(), rungs=(Rung.HASHES, Rung.ARCHIVES)).outcome is Outcome.READ
