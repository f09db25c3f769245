"""Making room: only what can be had again or has been read, by a list; never a volume, and never a backup."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from sutazai_ops import human
from sutazai_ops.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry

ROTATED = re.compile(r".+\.log\.\d+")
"""The older files of a log of this program."""
OLD_SECONDS = 7 * 86_400


def free_disk(here: Installation, incident: IncidentEntry) -> str:  # noqa: ARG001  (every action is called alike)
    """Remove images without a name, build cache and old logs; raises `Refused` where there are none."""
    freed = here.engine.clean_up() + remove_logs(here.settings.logs, time.time())
    if not freed:
        raise Refused("there is nothing that may be removed to make room")
    return f"{human.size(freed)} were made room"


def remove_logs(folder: Path, now: float) -> int:
    """Remove rotated logs of this program that are a week old; returns their bytes."""
    freed = 0
    for file in folder.iterdir() if folder.is_dir() else ():
        facts = file.lstat()
        if ROTATED.fullmatch(file.name) and now - facts.st_mtime > OLD_SECONDS:
            file.unlink()
            freed += facts.st_size
    return freed
