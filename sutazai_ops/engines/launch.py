"""Brings a server of ours up and waits until it answers a real query.

Nothing is started on a port that somebody else holds, on data of another version, or beside processes that still work
on that data. A server that does not come up is ended again, and the error shows what it wrote last.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from sutazai_ops.engines import daemons
from sutazai_ops.engines.base import Starting
from sutazai_ops.engines.daemons import Record
from sutazai_ops.engines.site import Durability
from sutazai_ops.errors import CommandFailed, OpsError, Unreachable

if TYPE_CHECKING:
    from sutazai_ops.engines.daemons import Identity
    from sutazai_ops.engines.site import Program, Site

SILENT_SECONDS = 60
"""How long a server may take to say anything on its port."""
LOADING_SECONDS = 3600
"""How long it may go on saying that it still loads or recovers: as long as our longest transfer."""
PAUSE_SECONDS = 0.05
SHOWN_LINES = 5


def launch(site: Site, program: Program) -> Identity:
    """Start the server and wait until it answers.

    Raises:
        OpsError: when its port is taken, its data is not for it, or it did not come up.
    """
    if not site.data.exists():
        program.create(site)
    program.check(site)
    daemons.await_orphans(site.data)
    _check_port(site)
    # Written before the start: a kill right after it must not make the next start look for another port.
    daemons.write_record(site.record, Record(port=site.port))
    argv = program.argv(site)
    fleeting = site.durability is Durability.FLEETING
    before = program.launcher(site, dies_with_us=program.abort_signal if fleeting else None)
    identity = daemons.start(
        [*before, *argv], Path(argv[0]), folder=site.data, log=site.log, environment=program.environment(site)
    )
    try:
        daemons.write_record(site.record, Record(port=site.port, process=identity))
        _await_answer(site, program, identity)
        program.complete(site)
    except BaseException:
        daemons.end(identity, program.abort_signal, patience=5)
        daemons.write_record(site.record, Record(port=site.port))
        raise
    return identity


def shown(log: Path) -> str:
    """A log's path and its last lines, for an error."""
    return "\n".join((str(log), *(f"  {line}" for line in daemons.last_lines(log, SHOWN_LINES))))


def _await_answer(site: Site, program: Program, identity: Identity) -> None:
    begun = time.monotonic()
    deadline = begun + SILENT_SECONDS
    while True:
        try:
            program.ask(site)
        except Unreachable as error:
            if isinstance(error, Starting):
                deadline = begun + LOADING_SECONDS
            if not daemons.is_alive(identity):
                raise CommandFailed(
                    f"{site.name} ended while it started",
                    where=shown(site.log),
                    remedy="mend what it says and start it",
                ) from None
            last = error.what
        else:
            return
        if time.monotonic() > deadline:
            raise Unreachable(
                f"{site.name} did not answer within {deadline - begun:.0f} s: {last}", where=shown(site.log)
            )
        time.sleep(PAUSE_SECONDS)


def _check_port(site: Site) -> None:
    if daemons.is_free(site.port):
        return
    raise OpsError(
        f"port {site.port}, which is kept for {site.name}, is taken by {_listener(site.port)}",
        where=str(site.record),
        remedy="stop that program; or delete this file, and the service gets a new port",
    )


def _listener(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return "another program"
