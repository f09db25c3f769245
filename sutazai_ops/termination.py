"""How this program and what it starts can be ended. Every front door heeds it first, so it loads nothing else."""

from __future__ import annotations

import signal


def heed_termination() -> None:
    """Let the processes we start be ended by SIGTERM, though whoever started us ignores it.

    A signal that is ignored stays so across fork and exec (signal(7)), so every tool of a house started from under
    `trap '' TERM` would sit out its grace period until it is killed. Each front door calls this once, first.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
