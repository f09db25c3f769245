"""Speaking to a Redis or Valkey server, and what its errors mean to a person.

`connect` is the one way in for all of this program. Whatever the driver raises on the way is told as an `OpsError`: a
server that does not answer is `Unreachable` and may be tried again, a refused password is not. The password passes
through memory only.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sutazai_ops.engines.base import Starting
from sutazai_ops.errors import OpsError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import redis

    from sutazai_ops.engines.base import Server
    from sutazai_ops.platform import Product

CONNECT_SECONDS = 10
"""How long a connection may take. Loopback answers in milliseconds; a server across a VPN in a second or two."""

OBSERVE_SECONDS = 3
"""A person who asks how things are does not wait as long as a backup does."""
_DATABASE = re.compile(r"db\d+")
ANSWER_SECONDS = 60
"""How long one answer may take: a server that forks for a snapshot stands still for seconds, never for a minute."""


def connect(
    server: Server, db: int = 0, *, within: float = CONNECT_SECONDS, answer_within: float = ANSWER_SECONDS
) -> redis.Redis:
    """Open a connection to database number `db` of `server`, and see that it answers; close it when done.

    Args:
        server: whom to speak to, and as whom.
        db: the number of the database.
        within: seconds that connecting may take.
        answer_within: seconds that one answer may take, the first one too.

    Raises:
        Unreachable: when nothing answers at the endpoint, or it is still loading its data.
        OpsError: when the server answers and refuses: a wrong password.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    secret = server.account.password
    client = redis.Redis(
        host=server.endpoint.host,
        port=server.endpoint.port,
        db=db,
        username=server.account.user,
        password=secret.get_secret_value() if secret else None,
        ssl=server.endpoint.tls,
        socket_connect_timeout=within,
        socket_timeout=answer_within,
        retry=Retry(NoBackoff(), 0),
    )
    with told(server):
        try:
            client.ping()
        except BaseException:
            client.close()
            raise
    return client


@dataclass(frozen=True, slots=True)
class Facts:
    """What a running server says of itself."""

    product: Product
    version: str
    keys: int
    memory: int
    """Bytes that its data takes."""

    @property
    def major(self) -> int:
        """The first number of its version."""
        return int(self.version.split(".")[0])


def ask(server: Server) -> Facts:
    """Ask the server for its version and how much it holds; raises as `connect`."""
    client = connect(server, within=OBSERVE_SECONDS)
    try:
        with told(server):
            info = client.info()
    finally:
        client.close()
    # Valkey goes on giving a redis_version for clients that look for one; its own stands beside it.
    valkey = info.get("valkey_version")
    keys = sum(keys_by_database(info).values())
    return Facts("valkey" if valkey else "redis", str(valkey or info["redis_version"]), keys, int(info["used_memory"]))


def keys_by_database(info: Mapping[str, Any]) -> dict[str, int]:
    """The keys of each database that has any, out of what INFO answers.

    https://redis.io/docs/latest/commands/info/, the section Keyspace.
    """
    # Redis 8 names histograms of sizes after the database, once there is anything in it to count.
    return {name[2:]: space["keys"] for name, space in info.items() if _DATABASE.fullmatch(name)}


@contextmanager
def told(server: Server) -> Iterator[None]:
    """Tell a connection that was refused or lost inside the context as an `OpsError`; other errors pass unchanged."""
    import redis.exceptions as failures

    try:
        yield
    except (failures.AuthenticationError, failures.NoPermissionError) as error:
        raise _refused(server, str(error)) from None
    except failures.ResponseError as error:
        if not str(error).startswith(("NOAUTH", "WRONGPASS")):
            raise
        raise _refused(server, str(error)) from None
    except failures.BusyLoadingError:
        raise Starting(
            f"{server.name} still loads its data", where=str(server.endpoint), remedy="wait until it has"
        ) from None
    except (failures.ConnectionError, failures.TimeoutError) as error:
        raise Unreachable(
            f"{server.name} does not answer: {error}",
            where=str(server.endpoint),
            remedy="see whether it runs: sutazai-ops status",
        ) from None


def _refused(server: Server, words: str) -> OpsError:
    return OpsError(
        f"{server.name} refuses the login: {words}",
        where=str(server.endpoint),
        remedy="correct the user or the password file of this service",
    )
