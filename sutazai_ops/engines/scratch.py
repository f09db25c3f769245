"""Throw-away servers of this machine: up for one piece of work, gone with their data however it ends.

When our own process is killed, Linux ends its scratch servers (PR_SET_PDEATHSIG) and `sweep_scratch` removes what they
leave. That signal is tied to the *thread* that started the server, so open and close a scratch server in one thread.
"""

from __future__ import annotations

import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from sutazai_ops.engines import account, daemons, toolchain
from sutazai_ops.engines.base import Account, ScratchOptions
from sutazai_ops.engines.launch import launch
from sutazai_ops.engines.postgres_program import PostgresProgram
from sutazai_ops.engines.redis_program import RedisProgram
from sutazai_ops.engines.scratch_folder import RECORD, scratch_folder
from sutazai_ops.engines.site import Durability, Site
from sutazai_ops.errors import ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sutazai_ops.engines.local import LocalServer
    from sutazai_ops.platform import Product

END_SECONDS = 10


def has_programs(product: Product, major: int, home: Path) -> bool:
    """Whether this machine has the server programs of exactly this product and major."""
    try:
        toolchain.find(product, major, home=home, program=_program(product).executable)
    except ToolMissing:
        return False
    return True


@contextmanager
def scratch_server(
    product: Product, major: int, options: ScratchOptions | None, *, home: Path
) -> Iterator[LocalServer]:
    """Start a server of exactly this product and major, and end it with its data when the context ends.

    Raises:
        ToolMissing: when no server programs of that product and major are here.
        CommandFailed: when it did not come up, such as on a damaged file that it was given.
    """
    options = options or ScratchOptions()
    program = _program(product)
    tools = toolchain.find(product, major, home=home, program=program.executable)
    with scratch_folder(home / "scratch", f"{product}-{major}") as folder:
        # The server's account must get through to its data folder, which itself stays closed.
        folder.chmod(0o711)
        site = Site(
            name=f"scratch {product} {major}",
            find_tools=lambda: tools,
            folder=folder,
            record=folder / RECORD,
            log=folder / "server.log",
            port=daemons.free_port(),
            login=Account("postgres" if product == "postgres" else None, SecretStr(secrets.token_urlsafe(24))),
            home=home,
            durability=Durability.FLEETING,
            config=options.config,
        )
        program.create(site)
        for name, file in options.files.items():
            shutil.move(file, site.data / name)
            account.give(site.data / name)
        identity = launch(site, program)
        try:
            yield site.server
        finally:
            daemons.end(identity, program.abort_signal, END_SECONDS)


def _program(product: Product) -> PostgresProgram | RedisProgram:
    return PostgresProgram() if product == "postgres" else RedisProgram(product)
