"""What a live Redis or Valkey server tells of itself, as far as the account may ask.

A backup needs the right to replicate and no other. Everything here is told where it may be asked, and is unknown where
it may not: a missing right never fails a backup.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import redis

from sutazai_ops.engines.redis import connect, keys_by_database, told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.engines.base import Server


@dataclass(frozen=True, slots=True)
class Told:
    """What one server said at one moment."""

    version: str | None = None
    used_memory: int | None = None
    append_only: bool | None = None
    keys: dict[str, int] = field(default_factory=dict)
    """By database: `"0"`."""
    functions: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()


def ask(server: Server) -> Told:
    """Ask for everything at once.

    Raises:
        Unreachable: when the server does not answer.
        OpsError: when it refuses the login.
    """
    with told(server), closing(connect(server)) as client:
        info: Mapping[str, Any] = _answer(client, "INFO") or {}
        config: Mapping[str, str] = _answer(client, "CONFIG GET", "appendonly") or {}
        libraries = _answer(client, "FUNCTION LIST") or []
        modules = _answer(client, "MODULE LIST") or []
    return Told(
        version=info.get("valkey_version") or info.get("redis_version"),
        used_memory=info.get("used_memory"),
        append_only=_text(config["appendonly"]) == "yes" if "appendonly" in config else None,
        keys=keys_by_database(info),
        functions=frozenset(_text(_pairs(library)["library_name"]) for library in libraries),
        modules=tuple(sorted(_text(module["name"]) for module in map(_pairs, modules) if _is_loaded(module))),
    )


def _answer(client: redis.Redis, *command: str) -> Any:  # noqa: ANN401  (each command answers in its own shape)
    try:
        return client.execute_command(*command)  # type: ignore[no-untyped-call]
    except (redis.exceptions.NoPermissionError, redis.exceptions.ResponseError):
        return None  # not allowed, renamed, or not known to a server of this age


def _is_loaded(module: Mapping[str, Any]) -> bool:
    # Newer servers list parts of themselves as modules too (Lua, vector sets); only what came from a file can be
    # missing elsewhere. Before 7.0 there is no path, and there were no such parts.
    return "path" not in module or "/" in _text(module["path"])


def _pairs(answer: Any) -> dict[str, Any]:  # noqa: ANN401  (a map in RESP3, a flat list of names and values before)
    if isinstance(answer, dict):
        return {_text(name): value for name, value in answer.items()}
    return {_text(name): value for name, value in zip(answer[::2], answer[1::2], strict=True)}


def _text(word: bytes | str) -> str:
    return word.decode(errors="replace") if isinstance(word, bytes) else word
