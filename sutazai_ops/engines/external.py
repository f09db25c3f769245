"""Services that somebody else runs: an address and a secret file, spoken to with the tools of this machine.

They are reached through the same door as ours and never started, stopped or configured. Their product and version are
asked from the server itself, so that the tools that dump it are those of its own major.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from sutazai_ops.engines import postgres, redis, toolchain
from sutazai_ops.engines.base import Account, Endpoint
from sutazai_ops.engines.local import LocalServer
from sutazai_ops.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from sutazai_ops.platform import Product, Service

USUAL_PORTS = {"postgresql": 5432, "redis": 6379, "rediss": 6379}


def external_server(service: Service, home: Path) -> LocalServer:
    """A service that somebody else runs, as a server to speak to. Nothing is connected yet.

    Raises:
        BadInput: when its password file is missing, or others may read it.
    """
    external = service.external
    if external is None:
        raise BadInput(f"{service.name} has no external address", where=str(service.file))
    parts = urlsplit(external.address)
    if parts.path.strip("/") or parts.query:
        raise BadInput(
            f"the address of {service.name} says more than user, host and port",
            where=external.address,
            remedy="every database is backed up, so name none; TLS for PostgreSQL is set by PGSSLMODE and its kin",
        )
    server = LocalServer(
        service.name,
        Endpoint(parts.hostname or "", parts.port or USUAL_PORTS[parts.scheme], tls=parts.scheme == "rediss"),
        Account(unquote(parts.username) if parts.username else None, _password(external.password_file)),
        home,
        lambda: toolchain.find(*product_of(server, external.kind), home=home),
    )
    return server


def product_of(server: LocalServer, kind: str) -> tuple[Product, int]:
    """What answers there and its major, as it says itself."""
    if kind == "postgres":
        return "postgres", postgres.ask(server).major
    facts = redis.ask(server)
    return facts.product, facts.major


def _password(file: Path | None) -> SecretStr | None:
    if file is None:
        return None
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise BadInput(
            f"cannot read the password file: {(error.strerror or str(error)).lower()}",
            where=str(file),
            remedy="write the password into it, mode 0600",
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadInput("others may read the password file", where=str(file), remedy=f"chmod 600 '{file}'")
    return SecretStr(text)
