"""The random id of a store, by which its own sets are told from those that were copied in from another.

It stands in `store.json`. Copying a whole store keeps its id, so the copy's sets are the copy's own.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import ValidationError

from sutazai_ops.disk import flush, writing
from sutazai_ops.errors import Corrupt, OpsError
from sutazai_ops.model import Model

if TYPE_CHECKING:
    from pathlib import Path

FILE = "store.json"


class _Identity(Model):
    id: str


def known_id(store: Path) -> str | None:
    """The id of the store in this folder; None where it has none yet.

    Raises:
        Corrupt: when its file is not what it should be.
        OpsError: when its file cannot be read.
    """
    try:
        content = (store / FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OpsError(f"cannot read the store's id: {error.strerror}", where=str(store / FILE)) from None
    return _parse(content, store / FILE)


def make_id(store: Path) -> str:
    """Give the store an id, and make its folder; of two that come first, one makes the id and the other reads it.

    Raises:
        OpsError: when it cannot be written.
    """
    file = store / FILE
    with writing(store):
        store.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.open("a+b") as identity:
            fcntl.flock(identity, fcntl.LOCK_EX)
            identity.seek(0)
            if found := _parse(identity.read(), file):
                return found
            made = uuid4().hex
            identity.write(_Identity(id=made).model_dump_json().encode() + b"\n")
            identity.flush()
            os.fsync(identity.fileno())
        flush(store)
    return made


def _parse(content: bytes, file: Path) -> str | None:
    if not content:
        return None  # its maker was stopped between making the file and writing into it
    try:
        return _Identity.model_validate_json(content).id
    except ValidationError:
        raise Corrupt(
            "the store's id is not readable, so nothing says which sets are its own",
            where=str(file),
            remedy='write {"id": "…"} into it, with the `store` that the sets\' manifests name',
        ) from None
