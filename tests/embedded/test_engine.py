"""The embedded engine and external services on real servers."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from sutazai_ops.engines import Order, ScratchOptions, State
from sutazai_ops.engines.postgres import connect as connect_postgres
from sutazai_ops.engines.redis import connect as connect_redis
from sutazai_ops.engines.scratch_folder import sweep_scratch
from sutazai_ops.errors import BadInput, CommandFailed, OpsError, ToolMissing, Unreachable, Unsupported
from sutazai_ops.installation import Installation
from sutazai_ops.platform import External, with_external
from sutazai_ops.progress import Silent
from sutazai_ops.settings import Loaded, Settings

pytestmark = pytest.mark.servers


def install(home: Path, **settings) -> Installation:
    return Installation(Loaded(settings=Settings(home=home, engine="embedded", **settings), origins={}))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("a home")


@pytest.fixture(scope="module")
def here(home):
    installation = install(home)
    try:
        bring_up(installation)
        yield installation
    finally:
        for service in ("redis", "postgres"):
            installation.engine.stop(service)


def ours(installation):
    """What is seen of the databases that this engine has servers for."""
    known = {service.name for service in databases(installation)}
    return [seen for seen in installation.engine.observe() if seen.service in known]


def databases(installation: Installation):
    return [service for service in installation.platform if service.embedded and service.is_backed_up]


def bring_up(installation: Installation) -> None:
    installation.engine.apply(installation.engine.plan(databases(installation)), Silent())


def pids(home: Path) -> set[int]:
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if str(home) in " ".join(process.cmdline()) or process.cwd().startswith(str(home)):
                found.add(process.pid)
    return found - {os.getpid()}


def test_passwords_are_files_that_only_their_owner_can_read(here, home):
    assert stat.S_IMODE((home / "secrets").stat().st_mode) == 0o700
    files = list((home / "secrets").iterdir())
    assert {file.name for file in files} == {"postgres_password", "redis_password"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert all(len(file.read_text()) >= 32 for file in files)


def test_a_second_engine_finds_the_servers_and_starts_no_others(here, home):
    before = {seen.service: seen.started_at for seen in here.engine.observe()}
    another = install(home)
    bring_up(another)
    assert {seen.service: seen.started_at for seen in another.engine.observe()} == before
    assert {str(change.act) for change in another.engine.plan(databases(another))} == {"unchanged"}


def test_ports_stay_the_same_over_a_restart(here):
    before = here.engine.endpoint("postgres"), here.engine.endpoint("redis")
    here.engine.restart("postgres")
    here.engine.restart("redis")
    assert (here.engine.endpoint("postgres"), here.engine.endpoint("redis")) == before


def test_what_was_acknowledged_survives_a_kill(here, home):
    with connect_postgres(here.engine.server("postgres"), "sutazai") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with closing(connect_redis(here.engine.server("redis"))) as client:
        client.set("kept", "42")
    # The embedded server promises what `appendfsync everysec` does: at most a second is lost.
    time.sleep(1.1)
    for process in [psutil.Process(pid) for pid in pids(home)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs([psutil.Process(pid) for pid in pids(home)], timeout=5)
    assert {str(seen.health) for seen in ours(here)} == {"failed"}
    bring_up(here)
    with connect_postgres(here.engine.server("postgres"), "sutazai") as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    with closing(connect_redis(here.engine.server("redis"))) as client:
        assert client.get("kept") in {b"42", "42"}


def test_rows_that_come_with_their_table_are_written_once_as_in_a_restore(here):
    with connect_postgres(here.engine.server("postgres"), "sutazai") as connection:
        [before] = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        connection.execute("CREATE TABLE many AS SELECT n, md5(n::text) AS hash FROM generate_series(1, 100000) n")
        connection.commit()
        [logged, held] = connection.execute(
            "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s), pg_table_size('many')", [before]
        ).fetchone()
        connection.execute("DROP TABLE many")
    assert logged < held / 10


def test_down_leaves_no_process(tmp_path):
    installation = install(tmp_path)
    bring_up(installation)
    assert pids(tmp_path)
    for service in ("redis", "postgres"):
        installation.engine.stop(service)
    assert pids(tmp_path) == set()
    assert [seen.state for seen in ours(installation)] == [State.STOPPED, State.STOPPED]


def test_a_data_folder_of_another_version_is_refused_and_left_alone(tmp_path):
    installation = install(tmp_path)
    installation.engine.start("postgres")
    installation.engine.stop("postgres")
    version = tmp_path / "embedded/postgres/data/PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(OpsError, match="16") as told:
        installation.engine.start("postgres")
    assert "18" in str(told.value)
    assert version.read_text() == "16\n"


def test_a_port_that_somebody_else_took_is_named(tmp_path):
    installation = install(tmp_path)
    installation.engine.start("redis")
    port = installation.engine.endpoint("redis").port
    installation.engine.stop("redis")
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        with pytest.raises(OpsError, match=str(port)):
            installation.engine.start("redis")
    installation.engine.start("redis")
    assert installation.engine.endpoint("redis").port == port
    installation.engine.stop("redis")


def test_a_tool_that_fails_says_its_last_words(here):
    server = here.engine.server("postgres")
    with (
        pytest.raises(CommandFailed, match="no_such_database"),
        server.run(["pg_dump", "--dbname=no_such_database"]) as command,
    ):
        command.finish()


def test_the_password_stands_in_no_argument_and_no_environment(here, home):
    secrets = [path.read_text().strip() for path in (home / "secrets").iterdir()]
    seen = []
    with here.engine.server("postgres").run(["pg_dump", "--dbname=sutazai"]) as command:
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                seen += process.cmdline()
                seen += [f"{key}={value}" for key, value in process.environ().items()]
        command.finish()
    assert any("PGPASSFILE" in word for word in seen)
    assert not [word for word in seen for secret in secrets if secret in word]


def test_a_scratch_server_is_gone_after_an_error(here, home):
    with pytest.raises(ZeroDivisionError), here.engine.scratch("postgres", 18):
        raise ZeroDivisionError
    assert list((home / "scratch").glob("[!.]*")) == []


def test_a_scratch_server_dies_with_us_and_what_is_left_is_swept(tmp_path):
    script = f"""
        import os, signal
        from pathlib import Path
        from sutazai_ops.installation import Installation
        from sutazai_ops.settings import Loaded, Settings
        settings = Settings(home=Path({str(tmp_path)!r}), engine="embedded")
        engine = Installation(Loaded(settings=settings, origins={{}})).engine
        with engine.scratch("postgres", 18), engine.scratch("valkey", 9):
            print("up", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list((tmp_path / "scratch").glob("[!.]*"))) == 2
    assert len(sweep_scratch(tmp_path)) == 2
    assert pids(tmp_path) == set()


def test_a_version_that_is_not_here_is_named_with_what_to_install(here):
    with pytest.raises(ToolMissing, match="17") as told, here.engine.scratch("postgres", 17):
        pass
    assert "postgresql-17" in told.value.remedy


def test_a_scratch_valkey_takes_files_and_settings(here, tmp_path):
    options = ScratchOptions(config={"maxmemory": "50mb"})
    with here.engine.scratch("valkey", 9, options) as server, closing(connect_redis(server)) as client:
        assert client.config_get("maxmemory")["maxmemory"] == str(50 * 1024**2)


def test_the_engine_says_what_it_cannot_do(here):
    with pytest.raises(Unsupported, match="embedded"):
        here.engine.scale(Order(Path("core.yaml"), "core", ("redis",)), "redis", 2, Silent())


@pytest.fixture
def theirs(here, home, tmp_path):
    """The same servers, as somebody else's, seen from another home."""
    external = {}
    for service, address in {"postgres": "postgresql://sutazai@{}", "redis": "redis://{}"}.items():
        password = tmp_path / service
        password.write_text((home / f"secrets/{service}_password").read_text() + "\n")
        password.chmod(0o600)
        external[service] = External(address=address.format(here.engine.endpoint(service)), password_file=password)
    return install(tmp_path / "home", external=external)


def test_a_server_of_somebody_else_is_spoken_to_and_never_stopped(theirs):
    assert [(seen.state, str(seen.health)) for seen in ours(theirs)] == [(State.ELSEWHERE, "ok")] * 2
    with connect_postgres(theirs.engine.server("postgres"), "sutazai") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    for act in (theirs.engine.stop, theirs.engine.start, theirs.engine.restart):
        with pytest.raises(Unsupported, match="somebody else"):
            act("postgres")


def test_a_wrong_password_is_one_sentence_and_no_retry(theirs, tmp_path):
    (tmp_path / "postgres").write_text("wrong")
    with pytest.raises(OpsError, match="password") as told, connect_postgres(theirs.engine.server("postgres")):
        pass
    assert not told.value.retryable
    assert "wrong" not in str(told.value).replace("wrong password", "")


def test_a_password_that_others_can_read_is_refused(theirs, tmp_path):
    (tmp_path / "postgres").chmod(0o644)
    with pytest.raises(BadInput, match="read") as told:
        theirs.engine.server("postgres")
    assert "chmod" in told.value.remedy


def test_a_server_that_is_not_there_is_unreachable_and_may_be_tried_again(here, tmp_path):
    external = {"redis": External(address="redis://127.0.0.1:9")}
    platform = with_external(here.platform, external)
    assert platform.service("redis").external
    nowhere = install(tmp_path / "home", external=external)
    with pytest.raises(Unreachable) as told, closing(connect_redis(nowhere.engine.server("redis"))):
        pass
    assert told.value.retryable


@pytest.mark.debian
def test_a_night_of_debians_postgresql_15_and_redis_7_with_their_own_tools(tmp_path):
    from sutazai_ops.backups.manifest import Outcome
    from sutazai_ops.backups.night import Backups, prove_set, take_set

    with (
        install(tmp_path / "servers").engine.scratch("postgres", 15) as postgres,
        install(tmp_path / "servers").engine.scratch("redis", 7) as redis,
    ):
        with connect_postgres(postgres) as connection:
            connection.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 12345) n")
        with closing(connect_redis(redis)) as client:
            client.mset({f"k{n}": n for n in range(777)})
        external = {}
        for service, server, scheme in (("postgres", postgres, "postgresql"), ("redis", redis, "redis")):
            password = tmp_path / service
            password.write_text(server.account.password.get_secret_value())
            password.chmod(0o600)
            user = f"{server.account.user}@" if server.account.user else ""
            external[service] = External(address=f"{scheme}://{user}{server.endpoint}", password_file=password)
        ours = install(tmp_path / "ours", external=external)
        backups = Backups.of(ours)
        one = take_set(backups, backups.services(), Silent())
        verification = prove_set(backups, one, Silent())
    manifest = one.manifest()
    assert verification.outcome is Outcome.VERIFIED, verification.rungs
    assert (manifest.services["postgres"].major, manifest.services["redis"].product) == (15, "redis")
    assert manifest.services["postgres"].client_version.startswith("15.")
    assert (manifest.rows, manifest.keys) == (12345, 777)
