"""Our own exporter as a server of the embedded engine: this very Python, running this very program.

It runs as ourselves, since it reads what we may read: passwords, the ledger, the folder of backups. It is given the
settings that whoever starts it has, whatever folder it works in.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from sutazai_ops.engines import account, daemons
from sutazai_ops.errors import Unreachable
from sutazai_ops.settings import as_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.engines.site import Site
    from sutazai_ops.settings import Settings

ANSWER_SECONDS = 2


class ExporterProgram:
    """A `Program`: `sutazai-ops exporter`."""

    stop_signal = signal.SIGTERM
    abort_signal = signal.SIGKILL

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def create(self, site: Site) -> None:
        """Make its working folder."""
        daemons.make_folder(site.data, 0o700)

    def check(self, site: Site) -> None:
        """Nothing: it has no data that could be another's."""

    def launcher(self, site: Site, *, dies_with_us: signal.Signals | None) -> list[str]:  # noqa: ARG002
        """As ourselves."""
        return account.as_ourselves(dies_with_us=dies_with_us)

    def argv(self, site: Site) -> list[str]:
        """The command, on its own port and for this machine alone."""
        return [sys.executable, "-m", "sutazai_ops.cli", "exporter", "--port", str(site.port)]

    def environment(self, site: Site) -> Mapping[str, str]:  # noqa: ARG002
        """Our settings, and how libpq speaks TLS (PostgreSQL manual, 34.15)."""
        tls = {name: value for name, value in os.environ.items() if name.startswith("PGSSL")}
        return tls | as_environment(self._settings.model_copy(update={"engine": "embedded"}))

    def ask(self, site: Site) -> None:
        """Open its page."""
        from sutazai_ops import http

        answer = http.get(f"http://{site.server.endpoint}/", seconds=ANSWER_SECONDS)
        if b"sutazai-ops exporter" not in answer.body:
            raise Unreachable(f"what answers at {site.server.endpoint} is no exporter")

    def complete(self, site: Site) -> None:
        """Nothing: it makes itself what it needs."""
