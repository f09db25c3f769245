"""The exporter as a process: its log, its port, its end.

It writes to standard error, which the embedded engine keeps in `logs/exporter.log` and Docker in the container's log.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, NoReturn

from sutazai_ops.errors import ExitCode
from sutazai_ops.monitoring.exporter.serve import Server

if TYPE_CHECKING:
    from sutazai_ops.monitoring.exporter.exporter import Exporter
    from sutazai_ops.monitoring.exporter.sources import Sources

M_ARENA_MAX = -8
"""mallopt(3). glibc gives threads up to eight arenas a processor, and never gives back what short-lived ones used."""

LOOK_SECONDS = 10.0
"""How often the sources are looked at."""

log = logging.getLogger(__name__)


def run(exporter: Exporter, address: str, port: int, sources: Sources) -> NoReturn:
    """Measure and answer until SIGTERM or SIGINT, then end this process; begin anew where the sources are newer.

    Raises:
        OpsError: when nobody can listen there.
    """
    level = exporter.settings.monitoring.log_level
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)
    over = Event()
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, lambda *_: over.set())
    with Server(address, port, exporter.pages) as server:
        exporter.start()
        log.info("listening on http://%s:%d", address, server.port)
        while not over.wait(LOOK_SECONDS) and not sources.are_newer():
            continue
        log.info("ending" if over.is_set() else "files that say what is watched have changed: beginning anew")
        exporter.stop()
    logging.shutdown()
    if not over.is_set():
        # The same process for whoever started it and will end it.
        os.execv(sys.executable, [sys.executable, "-m", "sutazai_ops.cli", *sys.argv[1:]])  # noqa: S606
    # Python would wait at its end for threads of pools that hang with whatever they measure.
    os._exit(ExitCode.DONE)
