"""Throw-away servers as containers, of the image that a service of that product and major runs.

Each has an internal network of its own and no volume but its own anonymous one; all three are gone when the context
ends. What a killed process leaves bears a label by which `sweep` finds it.
"""

from __future__ import annotations

import io
import os
import secrets
import tarfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sutazai_ops.engines import postgres, redis
from sutazai_ops.engines.base import Account, Endpoint, ScratchOptions, Starting
from sutazai_ops.engines.compose import daemon
from sutazai_ops.engines.compose.tools import image_of, tools_in
from sutazai_ops.engines.local import LocalServer
from sutazai_ops.errors import CommandFailed, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from docker import APIClient

    from sutazai_ops.engines.base import Tools
    from sutazai_ops.platform import Product

LABEL = "sutazai.scratch"
"""Names the process that made it, so that what a dead one left can be told from what is in use."""
READY_SECONDS = 60
DATA = {"postgres": "/var/lib/postgresql/data", "redis": "/data", "valkey": "/data"}
PORTS = {"postgres": 5432, "redis": 6379, "valkey": 6379}
FORGETFUL = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}


@contextmanager
def scratch_container(
    docker: APIClient,
    images: Iterable[str],
    product: Product,
    major: int,
    options: ScratchOptions | None,
    *,
    home: Path,
) -> Iterator[LocalServer]:
    """Start a server of this product from an image that a service runs; gone with its data when the context ends.

    Raises:
        ToolMissing: when no service runs such an image.
        CommandFailed: when it did not come up.
    """
    options = options or ScratchOptions()
    image = image_of(docker, images, product, major)
    name = f"sutazai-scratch-{secrets.token_hex(4)}"
    labels = {LABEL: f"{os.getpid()}"}
    with daemon.speaking(f"cannot make a scratch {product} {major}"):
        network = docker.create_network(name, driver="bridge", internal=True, labels=labels)["Id"]
        container = ""
        try:
            host = docker.create_host_config(network_mode=name, shm_size="256m")
            container = docker.create_container(
                image,
                _command(product, options),
                name=name,
                labels=labels,
                host_config=host,
                environment=_environment(product),
            )["Id"]
            for inside, file in options.files.items():
                docker.put_archive(container, DATA[product], _packed(inside, file))
                file.unlink()
            docker.start(container)
            tools = tools_in(image, product, major, home)
            yield _ready(docker, container, tools, home)
        finally:
            if container:
                docker.remove_container(container, v=True, force=True)
            docker.remove_network(network)


def _environment(product: Product) -> dict[str, str]:
    # It is reached over a network of its own that only this host is on, and lives for minutes.
    return {"POSTGRES_HOST_AUTH_METHOD": "trust"} if product == "postgres" else {}


def _command(product: Product, options: ScratchOptions) -> list[str]:
    if product == "postgres":
        settings = {**FORGETFUL, **options.config}
        return ["postgres", *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]
    settings = {"appendonly": "no", "save": "", "protected-mode": "no", **options.config}
    words = (word for name, value in settings.items() for word in (f"--{name}", value.strip('"')))
    return [f"{product}-server", *words]


def _packed(name: str, file: Path) -> io.BytesIO | bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(file, arcname=name)
    return packed.getvalue()


def _ready(docker: APIClient, container: str, tools: Tools, home: Path) -> LocalServer:
    product, major = tools.product, tools.major
    deadline = time.monotonic() + READY_SECONDS
    ask = postgres.ask if product == "postgres" else redis.ask
    while True:
        seen = docker.inspect_container(container)
        if not seen["State"]["Running"] and seen["State"]["Status"] != "created":
            tail = docker.logs(container, tail=20).decode(errors="replace").strip()
            last = tail.splitlines()[-1] if tail else "it said nothing"
            raise CommandFailed(f"a scratch {product} {major} did not come up: {last}", where=tail)
        address = next((net["IPAddress"] for net in seen["NetworkSettings"]["Networks"].values()), "")
        server = LocalServer(
            f"scratch {product} {major}",
            Endpoint(address, PORTS[product]),
            Account("postgres" if product == "postgres" else None, None),
            home,
            lambda: tools,
        )
        try:
            if address:
                ask(server)
                return server
        except (Starting, Unreachable):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)
