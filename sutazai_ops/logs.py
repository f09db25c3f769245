"""Where this program writes down what a person at a terminal does not need to see: `logs/sutazai-ops.log`.

A defect's traceback goes there and nowhere else. Four files of five megabytes at most, so a log never fills a disk.
"""

from __future__ import annotations

import logging
import tempfile
from logging.handlers import RotatingFileHandler
from pathlib import Path

FILE = "sutazai-ops.log"
LARGEST = 5_000_000
OLDER_FILES = 3


def write_defect(folder: Path | None, command: str, error: BaseException) -> Path:
    """Write the traceback of `error` to the log in `folder`, and return the file.

    Where the folder is not known or cannot be written, a temporary file takes it: a defect must not be lost.
    """
    record = logging.LogRecord(
        "sutazai_ops", logging.ERROR, __file__, 0, command, None, (type(error), error, error.__traceback__)
    )
    file = _usable(folder)
    handler = RotatingFileHandler(file, maxBytes=LARGEST, backupCount=OLDER_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.handle(record)
    handler.close()
    return file


def _usable(folder: Path | None) -> Path:
    if folder is not None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / FILE).open("a", encoding="utf-8").close()
        except OSError:
            pass
        else:
            return folder / FILE
    with tempfile.NamedTemporaryFile(prefix="sutazai-ops-", suffix=".log", delete=False) as file:
        return Path(file.name)
