"""Redis and Valkey as servers of ours: what they are started with, and when they are ready.

The password stands in the server's configuration file, which only its own account can read.
"""

from __future__ import annotations

import secrets
import signal
from typing import TYPE_CHECKING

from sutazai_ops.engines import account
from sutazai_ops.engines.daemons import LOOPBACK
from sutazai_ops.engines.redis import connect
from sutazai_ops.engines.site import Durability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.engines.site import Site
    from sutazai_ops.platform import Product

# Without `save ""` both would write whole snapshots beside what the append-only file already holds.
LASTING = {"appendonly": "yes", "appendfsync": "everysec", "save": '""'}
"""A crash loses at most a second."""
FLEETING = {"appendonly": "no", "save": '""'}


class RedisProgram:
    """A `Program`: Redis or Valkey, which differ in their names alone here."""

    stop_signal = signal.SIGTERM
    abort_signal = signal.SIGKILL

    def __init__(self, product: Product) -> None:
        self.executable = f"{product}-server"

    def create(self, site: Site) -> None:
        """Make the data folder; the server fills it."""
        fresh = site.folder / f"new-{secrets.token_hex(4)}"
        fresh.mkdir(mode=0o700)
        account.give(fresh)
        fresh.rename(site.data)

    def check(self, site: Site) -> None:
        """Refuse data of another account. The server itself refuses data that a newer one wrote."""
        account.check_owner(site.data)

    def argv(self, site: Site) -> list[str]:
        """The command; writes the configuration file."""
        secret = site.login.password
        durable = LASTING if site.durability is Durability.LASTING else FLEETING
        settings = {
            # A replica that asks for a snapshot waits this long for others to share it; ours is the only one.
            "repl-diskless-sync-delay": "0",
            **durable,
            **site.config,
            "bind": LOOPBACK,
            "port": str(site.port),
            # The working folder, which is the data folder whatever its path holds.
            "dir": "./",
            "daemonize": "no",
            "pidfile": '""',
            "logfile": '""',
            **({"requirepass": secret.get_secret_value()} if secret else {}),
        }
        file = site.folder / "server.conf"
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text("".join(f"{key} {value}\n" for key, value in settings.items()), encoding="utf-8")
        account.give(file)
        return [str(site.program(self.executable)), str(file)]

    def launcher(self, site: Site, *, dies_with_us: signal.Signals | None) -> list[str]:
        """As the servers' own account."""
        return account.launcher([site.data], dies_with_us=dies_with_us)

    def environment(self, site: Site) -> Mapping[str, str]:  # noqa: ARG002
        """Nothing: all that it is told stands in its configuration."""
        return {}

    def ask(self, site: Site) -> None:
        """Put an authenticated PING, which fails while it loads its data."""
        connect(site.server).close()

    def complete(self, site: Site) -> None:
        """Nothing: its databases are numbered and always there."""
