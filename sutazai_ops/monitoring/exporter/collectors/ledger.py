"""Where collectors ask the ledger, by questions of their own.

The ledger's own reader is too large for a process that lives for months.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from sutazai_ops.errors import BadInput
from sutazai_ops.reading import PostgresPlace, reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sutazai_ops.reading import Ask
    from sutazai_ops.settings import Settings


@contextmanager
def asking(settings: Settings) -> Iterator[Ask | None]:
    """What answers questions to the ledger; None before anything was written down.

    Raises:
        OpsError: when it cannot be read.
    """
    place = ledger_place(settings)
    if isinstance(place, Path) and not place.exists():
        yield None
        return
    with reading(place) as ask:
        yield ask


def ledger_place(settings: Settings) -> Path | PostgresPlace:
    """Where the ledger is; raises `BadInput` for a password file that cannot be read."""
    if settings.ledger is None:
        return settings.home / "ledger.db"
    parts = urlsplit(settings.ledger)
    if parts.scheme.startswith("sqlite"):
        return Path(unquote(parts.path).removeprefix("/"))
    shown = f"{parts.hostname}:{parts.port or 5432}{parts.path}"
    url = parts._replace(scheme="postgresql").geturl()
    file = settings.ledger_password_file
    if file is None:
        return PostgresPlace(url, shown)
    try:
        return PostgresPlace(url, shown, SecretStr(file.read_text(encoding="utf-8").rstrip("\n")))
    except (OSError, UnicodeDecodeError):
        raise BadInput("the ledger's password file cannot be read", where=str(file)) from None
