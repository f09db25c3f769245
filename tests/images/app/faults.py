"""How the application is made to misbehave: by FAULT at its start, or so many seconds later as FAULT_AFTER says, or by
`POST /faults` while it runs.

`fail`   every answer is a 500, `/health` too
`slow`   every answer and every task takes as much longer as the request or SLOW_SECONDS says, 0.4 seconds by default
`hang`   no answer comes until the fault is taken back
`leak`   ten mebibytes a second are taken and never given back
`peak`   as many mebibytes as PEAK_MEBIBYTES says, 300 by default, are taken for half a second and given back
`crash`  the process ends at once, with status 1
"""

from __future__ import annotations

import os
import sys
import threading
import time

KINDS = ("fail", "slow", "hang", "leak", "peak", "crash")
SLOW_SECONDS = float(os.environ.get("SLOW_SECONDS", "0.4"))
LEAK_BYTES = 10 * 1024**2
PEAK_BYTES = int(os.environ.get("PEAK_MEBIBYTES", "300")) * 1024**2
PEAK_SECONDS = 0.5


class Faults:
    """The one fault that is on, if any."""

    def __init__(self) -> None:
        self.present: str | None = None
        self._slow_seconds = SLOW_SECONDS
        self._answering = threading.Event()
        self._answering.set()
        self._leaked: list[bytes] = []
        self._peaking = threading.Lock()

    def begin(self, kind: str | None, slow_seconds: float = SLOW_SECONDS) -> None:
        """Misbehave in this way from now on; None ends what is on. Raises `ValueError` for an unknown fault."""
        if kind is not None and kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}: one of {', '.join(KINDS)}")
        if kind == "crash":
            print("told to crash", file=sys.stderr, flush=True)
            os._exit(1)
        self.present, self._slow_seconds = kind, slow_seconds
        if kind == "hang":
            self._answering.clear()
        else:
            self._answering.set()
        if kind == "leak":
            threading.Thread(target=self._leak, daemon=True).start()
        if kind == "peak":
            threading.Thread(target=self._peak, daemon=True).start()

    def begin_after(self, seconds: float, kind: str | None) -> None:
        """Misbehave so many seconds from now."""
        later = threading.Timer(seconds, self.begin, [kind])
        later.daemon = True
        later.start()

    def wait_while_hanging(self) -> None:
        """Return once no `hang` is on."""
        self._answering.wait()

    def delay(self) -> None:
        """Return once no `hang` is on, and under `slow` a while later."""
        self.wait_while_hanging()
        if self.present == "slow":
            time.sleep(self._slow_seconds)

    def _leak(self) -> None:
        while self.present == "leak":
            # Written to, so that it is memory and not a promise of it.
            self._leaked.append(b"x" * LEAK_BYTES)
            time.sleep(1)

    def _peak(self) -> None:
        # One at a time: two would be twice as high.
        with self._peaking:
            held = b"x" * PEAK_BYTES
            time.sleep(PEAK_SECONDS)
            del held


FAULTS = Faults()
