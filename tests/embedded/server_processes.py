"""The processes of servers that tests look at, and freeze."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager, suppress

import psutil


def listener(port: int, seconds: float = 10) -> psutil.Process:
    """The process that listens at a port.

    Asked again for a while: sockets that other processes open and close meanwhile can hide one from a single look at
    `/proc/net/tcp` (proc(5) does not promise a consistent list).
    """
    ended = time.monotonic() + seconds
    while time.monotonic() < ended:
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid:
                return psutil.Process(one.pid)
        time.sleep(0.1)
    raise AssertionError(f"nothing listens at port {port}")


@contextmanager
def frozen(process: psutil.Process):
    """Neither ended nor answering."""
    family = [process, *process.children(recursive=True)]
    for one in family:
        one.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)
