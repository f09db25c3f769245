"""Whom a probe speaks to that logs in: the engine's server, by the way that the probe names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from sutazai_ops.engines import Account, Command, Endpoint, Engine, Server, Tools
    from sutazai_ops.platform import Probe, Service


@dataclass(frozen=True, slots=True)
class By:
    """A server by another way than its usual port: another port, or a pooler before it."""

    server: Server
    endpoint: Endpoint

    @property
    def name(self) -> str:
        """The server's."""
        return self.server.name

    @property
    def account(self) -> Account:
        """The server's."""
        return self.server.account

    def tools(self) -> Tools:
        """The server's."""
        return self.server.tools()

    def run(self, argv: Sequence[str], *, stdin: bool = False) -> AbstractContextManager[Command]:
        """Run one of the server's own client tools beside it, at its usual port."""
        return self.server.run(argv, stdin=stdin)


def server_of(service: Service, probe: Probe, engine: Engine) -> Server:
    """The service as a server to speak to; raises `OpsError` where it does not run or its password is missing."""
    server = engine.server(service.name)
    if probe.port is None and probe.through is None:
        return server
    return By(server, engine.endpoint(probe.through or service.name, probe.port))
