"""One server of ours on this machine, as a value: what it is, where its things are, how it is reached.

Every server that we start has a folder of its own with its data in `data`. A `Program` knows one kind of server; how it
is started, awaited and stopped is the same for all of them (`launch.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from sutazai_ops.engines import account, toolchain
from sutazai_ops.engines.base import Endpoint
from sutazai_ops.engines.daemons import LOOPBACK
from sutazai_ops.engines.local import LocalServer

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sutazai_ops.engines.base import Account, Tools


class Durability(StrEnum):
    """What a server's data has to outlive."""

    LASTING = "lasting"
    """A crash of the machine."""
    FLEETING = "fleeting"
    """Nothing: the server and its data go together."""


@dataclass(frozen=True, slots=True)
class Site:
    """One server of ours on this machine."""

    name: str
    find_tools: Callable[[], Tools]
    """The tools of its product and major; raises `ToolMissing` naming what to install."""
    folder: Path
    record: Path
    """The file with what is known of it between one process of ours and the next."""
    log: Path
    port: int
    login: Account
    """As whom we speak to it."""
    home: Path
    durability: Durability
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def tools(self) -> Tools:
        """The tools of its product and major; raises `ToolMissing` naming what to install."""
        return self.find_tools()

    def program(self, name: str) -> Path:
        """The program called `name` of the server's own version, where the server's account can execute it."""
        return account.runnable(toolchain.binary(self.tools, name))

    @property
    def server(self) -> LocalServer:
        """It as a server to speak to."""
        return LocalServer(self.name, Endpoint(LOOPBACK, self.port), self.login, self.home, self.find_tools)


class Program(Protocol):
    """One kind of server program."""

    stop_signal: signal.Signals
    """Ends it cleanly."""
    abort_signal: signal.Signals
    """Ends it at once, leaving nothing in the system's memory."""

    def create(self, site: Site) -> None:
        """Make the data folder, whole or not at all."""

    def check(self, site: Site) -> None:
        """Raise `OpsError` when this program must not be started on that data."""

    def launcher(self, site: Site, *, dies_with_us: signal.Signals | None) -> list[str]:
        """What stands before its command so that it runs as the right account; see `account.launcher`."""

    def argv(self, site: Site) -> list[str]:
        """Its command; writes its configuration file where it has one."""

    def environment(self, site: Site) -> Mapping[str, str]:
        """What it finds in its environment beside PATH and the language."""

    def ask(self, site: Site) -> None:
        """Put a real query to it.

        Raises:
            Starting: when it answers that it is not ready yet.
            Unreachable: when nothing answers.
            OpsError: when it answers and refuses.
        """

    def complete(self, site: Site) -> None:
        """Create inside the running server what its data folder alone does not hold."""
