"""PostgreSQL as a server of ours: how its data folder is made, what it is started with, when it is ready.

A data folder is made under another name and renamed when it is whole, so a kill in the middle leaves nothing that a
later start would trust. The server listens on loopback alone and has no Unix socket, whose path would be too long in
deep folders (107 bytes, unix(7)).
"""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from sutazai_ops.engines import account
from sutazai_ops.engines.postgres import connect
from sutazai_ops.engines.processes import ENVIRONMENT, reason
from sutazai_ops.engines.site import Durability
from sutazai_ops.errors import CommandFailed, OpsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sutazai_ops.engines.site import Site

LOCALE = "C" if sys.platform == "darwin" else "C.UTF-8"
"""UTF-8 with an order of its own that no upgrade of the system's library changes; macOS lacks it."""
REACHABLE = {"listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
LASTING = {"wal_level": "minimal", "max_wal_senders": "0"}
"""Nothing follows a server of ours, so rows that come with their table are written once: PostgreSQL manual, 14.4.7."""
FORGETFUL = LASTING | {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "256MB",
    # Shared memory as files in the data folder: a container's /dev/shm is small, and a killed server leaks nothing.
    "dynamic_shared_memory_type": "mmap",
    "max_parallel_maintenance_workers": "0",
}
"""PostgreSQL manual, 14.4 and 14.5: what a restore may do without when the data is thrown away afterwards."""


class PostgresProgram:
    """A `Program`: PostgreSQL."""

    executable = "postgres"
    stop_signal = signal.SIGINT
    """Fast shutdown: open transactions are rolled back (PostgreSQL manual, 18.5)."""
    abort_signal = signal.SIGQUIT
    """Immediate shutdown. A KILL would leave a System V memory segment behind, of which a system has 4096."""

    def __init__(self, databases: tuple[str, ...] = ()) -> None:
        self.databases = databases

    def create(self, site: Site) -> None:
        """Make the data folder with initdb, whole or not at all."""
        for leftover in site.folder.glob("new-*"):
            shutil.rmtree(leftover)
        fresh = site.folder / f"new-{secrets.token_hex(4)}"
        (fresh / "data").mkdir(parents=True, mode=0o700)
        try:
            password_file = fresh / "password"
            password_file.touch(mode=0o600)
            password_file.write_text(_password(site), encoding="utf-8")
            account.give(fresh)
            self._initdb(site, fresh / "data", password_file)
            (fresh / "data").rename(site.data)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def check(self, site: Site) -> None:
        """Refuse data of another major version, or of another account."""
        account.check_owner(site.data)
        found = (site.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if found != str(site.tools.major):
            raise OpsError(
                f"the data of {site.name} is of PostgreSQL {found}, and the server here of {site.tools.major}",
                where=str(site.data),
                remedy=f"dump it with PostgreSQL {found}, move the folder away, start, and restore the dump",
            )

    def argv(self, site: Site) -> list[str]:
        """The command; all settings stand in it, none of which is a secret."""
        basis = FORGETFUL if site.durability is Durability.FLEETING else LASTING
        settings = basis | dict(site.config) | REACHABLE | {"port": str(site.port)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(site.program(self.executable)), "-D", str(site.data), *options]

    def launcher(self, site: Site, *, dies_with_us: signal.Signals | None) -> list[str]:
        """As the servers' own account."""
        return account.launcher([site.data], dies_with_us=dies_with_us)

    def environment(self, site: Site) -> Mapping[str, str]:  # noqa: ARG002
        """Nothing: all that it is told stands in its arguments."""
        return {}

    def ask(self, site: Site) -> None:
        """Put a query as its superuser."""
        with connect(site.server) as connection:
            connection.execute("SELECT 1")

    def complete(self, site: Site) -> None:
        """Create the databases that are not there yet."""
        if not self.databases:
            return
        from psycopg import sql

        with connect(site.server, autocommit=True) as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in self.databases:
                if name not in there:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _initdb(self, site: Site, data: Path, password_file: Path) -> None:
        quick = ["--no-sync"] if site.durability is Durability.FLEETING else []
        command = [
            *account.launcher([data], dies_with_us=signal.SIGKILL),
            str(site.program("initdb")),
            "--auth=scram-sha-256",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            f"--locale={LOCALE}",
            "--data-checksums",
            f"--username={site.login.user}",
            *quick,
            str(data),
        ]
        done = subprocess.run(command, cwd=data, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            complaints = done.stderr.strip().splitlines()
            raise CommandFailed(f"initdb of {site.name} failed: {reason(complaints)}", where="\n".join(complaints[-5:]))


def _password(site: Site) -> str:
    return site.login.password.get_secret_value() if site.login.password else ""
