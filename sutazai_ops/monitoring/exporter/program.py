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

M_ARENA_MAX = -8
"""mallopt(3). glibc gives threads up to eight arenas a processor, and never gives back what short-lived ones used."""

log = logging.getLogger(__name__)


def run(exporter: Exporter, address: str, port: int, level: str = "info") -> NoReturn:
    """Measure and answer until SIGTERM or SIGINT, then end this process.

    Raises:
        OpsError: when nobody can listen there.
    """
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)
    over = Event()
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, lambda *_: over.set())
    with Server(address, port, exporter.registry, exporter.pages) as server:
        exporter.start()
        log.info("listening on http://%s:%d", address, server.port)
        over.wait()
        log.info("ending")
        exporter.stop()
    logging.shutdown()
    # Python would wait at its end for threads of pools that hang with whatever they measure.
    os._exit(ExitCode.DONE)
