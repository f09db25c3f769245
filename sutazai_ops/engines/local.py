"""A server spoken to with the tools of this machine, wherever it runs itself.

A tool finds host, port and user in its environment, and the password in a file (PGPASSFILE) that is gone when the tool
is: it stands in no argument and no environment variable.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sutazai_ops.engines.processes import run_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sutazai_ops.engines.base import Account, Command, Endpoint, Tools


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A `Server` whose client tools are child processes of ours."""

    name: str
    endpoint: Endpoint
    account: Account
    home: Path
    find_tools: Callable[[], Tools]

    def tools(self) -> Tools:
        """The tools of this very server's product and major; raises `ToolMissing` naming what to install."""
        return self.find_tools()

    def run(self, argv: Sequence[str], *, stdin: bool = False) -> AbstractContextManager[Command]:
        """Run one of the server's own client tools here; see `Server.run`."""
        return self._run(argv, stdin=stdin)

    @contextmanager
    def _run(self, argv: Sequence[str], *, stdin: bool) -> Iterator[Command]:
        from sutazai_ops.engines.scratch_folder import scratch_folder

        tools = self.tools()
        with scratch_folder(self.home / "scratch", "password") as folder:
            environment = self._environment(folder) if tools.product == "postgres" else {}
            with run_tool(tools, argv, stdin=stdin, environment=environment, of=self.name) as command:
                yield command

    def _environment(self, folder: Path) -> dict[str, str]:
        wanted = {
            "PGHOST": self.endpoint.host,
            "PGPORT": str(self.endpoint.port),
            "PGUSER": self.account.user,
            "PGCONNECT_TIMEOUT": "10",
            "PGPASSFILE": self._password_file(folder),
        }
        # Certificates and the like, as libpq's own variables name them (PostgreSQL manual, 34.15).
        tls = {
            name: value for name, value in os.environ.items() if name.startswith("PGSSL") and name != "PGSSLPASSWORD"
        }
        return tls | {name: value for name, value in wanted.items() if value is not None}

    def _password_file(self, folder: Path) -> str | None:
        """Write the password as libpq reads it: colons and backslashes escaped (PostgreSQL manual, 34.16)."""
        if self.account.password is None:
            return None
        escaped = self.account.password.get_secret_value().replace("\\", "\\\\").replace(":", "\\:")
        file = folder / "pgpass"
        file.touch(mode=0o600)
        file.write_text(f"*:*:*:*:{escaped}\n", encoding="utf-8")
        return str(file)
