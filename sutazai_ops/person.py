"""Who asks: the name that the ledger keeps beside what a person did."""

from __future__ import annotations

import getpass
import os


def who() -> str:
    """The user's name, or their number where nobody gave them one, as in a container that runs as `user: 1000`."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
