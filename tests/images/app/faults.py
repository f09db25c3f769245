"""How the application is made to misbehave: by FAULT at its start, or by `POST /faults` while it runs.

`fail`   every answer is a 500, `/health` too
`hang`   no answer comes until the fault is taken back
`leak`   ten mebibytes a second are taken and never given back
`crash`  the process ends at once, with status 1
"""

from __future__ import annotations

import os
import sys
import threading

KINDS = ("fail", "hang", "leak", "crash")
LEAK_BYTES = 10 * 1024**2

_present: str | None = None
_whole = threading.Event()
_whole.set()
_leaked: list[bytes] = []


def present() -> str | None:
    """The fault that is on."""
    return _present


def begin(kind: str | None) -> None:
    """Begin to misbehave in this way; None ends whatever was on. Raises `ValueError` for a fault that is not known."""
    global _present
    if kind is not None and kind not in KINDS:
        raise ValueError(f"unknown fault {kind!r}: one of {', '.join(KINDS)}")
    if kind == "crash":
        print("told to crash", file=sys.stderr, flush=True)
        os._exit(1)
    _present = kind
    if kind == "hang":
        _whole.clear()
    else:
        _whole.set()
    if kind == "leak":
        threading.Thread(target=_leak, daemon=True).start()


def wait_while_hanging() -> None:
    """Return once no `hang` is on."""
    _whole.wait()


def _leak() -> None:
    while _present == "leak":
        # Written to, so that it is memory and not a promise of it.
        _leaked.append(b"x" * LEAK_BYTES)
        threading.Event().wait(1)
