"""One program for the platform's own applications: `main.py backend|frontend|agent`.

Each is an HTTP service that says its version in every answer, has `/health` and `/metrics`, finishes what it has begun
when it is told to stop, and can be made to fail (`faults.py`). It writes nothing to its file system.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from faults import FAULTS

PORTS = {"backend": 8000, "frontend": 8501, "agent": 8080}


def main() -> None:
    role = sys.argv[1] if len(sys.argv) > 1 else "agent" if "AGENT_NAME" in os.environ else "backend"
    fault, after = os.environ.get("FAULT") or None, float(os.environ.get("FAULT_AFTER") or 0)
    if after:
        FAULTS.begin_after(after, fault)
    else:
        FAULTS.begin(fault)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    # Each role imports only what it needs: the frontend has no business with a database.
    if role == "backend":
        from backend import Backend as Application
    elif role == "frontend":
        from frontend import Frontend as Application
    elif role == "agent":
        from agent import Agent as Application
    else:
        sys.exit(f"unknown application {role!r}: one of {', '.join(PORTS)}")
    from service import run

    run(Application(), int(os.environ.get("PORT", PORTS[role])), stopping)


if __name__ == "__main__":
    main()
