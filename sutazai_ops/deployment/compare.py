"""What differs: between two definitions of a service, and between a definition and the container that runs.

The second is what Compose cannot see: a limit that `docker update` has changed, a network that was taken away, a port
that is open and should not be. No value that could be a secret is ever shown, only that it has changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sutazai_ops import human
from sutazai_ops.deployment.limits import limits, size
from sutazai_ops.deployment.ports import published

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sutazai_ops.deployment.release import ReleasedPhase, ReleasedService
    from sutazai_ops.engines import Container

NOTHING = "none"
HIDDEN = "(not shown)"
_SECRET_NAME = re.compile(r"pass|secret|token|key|credential|auth|dsn", re.IGNORECASE)
_COPIED = re.compile(r"(?:.*/)?files/(?P<digest>[0-9a-f]{16})/(?P<name>[^:]+)(?P<rest>:.*)?")
HAVE_IDENTITY = frozenset({"volumes", "ports", "environment", "configs", "secrets", "env_file"})
"""The lists each of whose entries is compared with its like, and not with the whole list."""
_LIMITS = {
    **dict.fromkeys(("deploy.resources.limits.memory", "mem_limit"), "memory limit"),
    **dict.fromkeys(("deploy.resources.limits.cpus", "cpus"), "CPU limit"),
    **dict.fromkeys(("deploy.resources.limits.pids", "pids_limit"), "process limit"),
}
"""The fields that have words of their own, in definitions as in what runs."""
_OURS = ("labels.sutazai.spec", "labels.sutazai.release", "labels.sutazai.phase")


@dataclass(frozen=True, slots=True)
class Difference:
    """One field, and what it is on both sides, for people."""

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.field} {self.before} -> {self.after}"


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """The fields in which two definitions differ, by dotted path; values that may be secret are not shown."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return [
        Difference(_field(key, old.get(key) or new.get(key)), *_both(key, old.get(key), new.get(key)))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) and key not in _OURS
    ]


def runtime(service: ReleasedService, phase: ReleasedPhase, container: Container) -> list[Difference]:
    """What the engine sees of a container that its definition does not say: limits, networks, published ports.

    The side of the definition stands first.
    """
    if container.is_process:
        return []
    meant = limits(service.definition)
    return [
        *_one("memory limit", meant.memory, container.memory, human.memory),
        *_one("CPU limit", meant.cpus, container.cpus, lambda cpus: f"{cpus:g}"),
        *_one("process limit", meant.pids, container.pids, str),
        *_sets("networks", networks(service.definition, phase), container.networks),
        *_sets(
            "published ports",
            frozenset(map(str, published(service.definition))),
            frozenset(str(port) for port in container.ports if _is_meant(port.inside, service.definition)),
        ),
    ]


def ended(container: Container) -> str:
    """How a container that is stopped came to that."""
    if container.exit_code is None:
        return "stopped"
    return f"stopped (exit code {container.exit_code}{', out of memory' if container.out_of_memory else ''})"


def networks(definition: Mapping[str, Any], phase: ReleasedPhase) -> frozenset[str]:
    """The networks that a service is meant to be on, by their names in the engine."""
    if mode := str(definition.get("network_mode") or ""):
        # "host" and "none" are networks, too; which one it is with another container's, that container alone knows.
        return frozenset() if ":" in mode else frozenset({mode})
    declared = phase.top.get("networks") or {}
    names = definition.get("networks") or ("default",)
    return frozenset(str((declared.get(name) or {}).get("name") or f"{phase.project}_{name}") for name in names)


def _is_meant(inside: int, definition: Mapping[str, Any]) -> bool:
    """Whether the port's number on the host is fixed; any will do for one that is published without."""
    return not any(str(entry) == str(inside) for entry in definition.get("ports") or ())


def _one(field: str, meant: Any, found: Any, words: Callable[[Any], str]) -> Iterator[Difference]:  # noqa: ANN401
    if meant != found:
        yield Difference(field, *(NOTHING if value is None else words(value) for value in (meant, found)))


def _sets(field: str, meant: frozenset[str], found: frozenset[str]) -> Iterator[Difference]:
    if meant != found:
        yield Difference(field, ", ".join(sorted(meant)) or NOTHING, ", ".join(sorted(found)) or NOTHING)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and path.rpartition(".")[2] in HAVE_IDENTITY:
        for entry in value:
            yield from _entry(entry, path)
    elif value not in (None, {}, []):
        yield path, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _entry(entry: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """One of a list that has an identity of its own, so that a change of one is not a change of all."""
    if isinstance(entry, dict):
        identity = entry.get("target") or entry.get("source") or str(entry.get("path", "")).rpartition("/")[2]
        yield f"{path}[{identity}]", str(entry.get("source") or entry.get("published") or entry.get("path") or entry)
    elif path.endswith("environment"):
        name, _, value = str(entry).partition("=")
        yield f"{path}.{name}", value
    else:
        parts = str(entry).split(":")
        yield f"{path}[{parts[1] if len(parts) > 1 else parts[0]}]", str(entry)


def _field(key: str, value: str | None) -> str:
    copied = _COPIED.fullmatch(value or "")
    if copied:
        return f"file {copied['name']}"
    if key.startswith("labels.sutazai.secret."):
        return f"secret {key.removeprefix('labels.sutazai.secret.')}"
    return _LIMITS.get(key, key)


def _both(key: str, before: str | None, after: str | None) -> tuple[str, str]:
    copies = [_COPIED.fullmatch(value or "") for value in (before, after)]
    if all(copies):
        return tuple(copy["digest"][:8] for copy in copies if copy)  # type: ignore[return-value]
    return _shown(key, before), _shown(key, after)


def _shown(key: str, value: str | None) -> str:
    if value is None:
        return NOTHING
    if _LIMITS.get(key) == "memory limit":
        return human.memory(size(value))
    is_secret = _SECRET_NAME.search(key.rpartition(".")[2]) and not key.startswith(("labels.", "secrets", "volumes"))
    # A file's name is no secret, and is what a person looks for.
    if (is_secret and not value.startswith("/run/secrets/")) or _holds_password(value):
        return HIDDEN
    return value if len(value) <= 120 else value[:119] + "…"  # noqa: PLR2004


def _holds_password(value: str) -> bool:
    try:
        return bool(urlsplit(value).password)
    except ValueError:
        return False
