"""Processes that neither end nor answer."""

from __future__ import annotations

import signal
from contextlib import contextmanager

import psutil


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
            one.send_signal(signal.SIGCONT)
