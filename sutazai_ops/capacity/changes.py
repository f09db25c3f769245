"""From advice to files: the override that a roll-out applies, and the same as a diff of the platform's own files.

The override is a phase of its own, laid over the services that it changes, so the platform's files need not be touched
and taking it away takes the change away. The diff is for whoever would rather have it where the service stands.
"""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from sutazai_ops.capacity.edit import CannotEdit, edit
from sutazai_ops.capacity.sizing import GIB, MIB, Size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sutazai_ops.capacity.sizing import Advice
    from sutazai_ops.platform import Platform

OVERRIDE = "right-sizing.yaml"
HEAD = """\
# What services should be allowed, by what they used: made by `sutazai-ops capacity plan --out`.
#
# A phase of its own, laid over the others. Put it beside them, look at `sutazai-ops plan`, and roll it out.
name: sutazai-right-sizing
"""
LIMITS = ("deploy", "resources", "limits")
RESERVATIONS = ("deploy", "resources", "reservations")


def size_of(definition: Mapping[str, Any]) -> Size:
    """What a definition allows one container, and keeps for it; raises `BadInput` for what is no size."""
    from sutazai_ops.deployment.limits import limits

    allowed = limits(definition)
    kept = ((definition.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    reserved = limits(
        {"deploy": {"resources": {"limits": {key: kept[key] for key in kept if key in {"memory", "cpus"}}}}}
    )
    return Size(allowed.memory, allowed.cpus, reserved.memory, reserved.cpus)


def override(advice: Sequence[Advice], platform: Platform) -> str:
    """The override file of a platform.

    Raises:
        ValueError: where nothing is to be changed.
    """
    import yaml

    from sutazai_ops.platform.compose_file import ComposeDumper

    services: dict[str, Any] = {}
    for one in advice:
        if not one.changes:
            continue
        entry: dict[str, Any] = {
            "x-sutazai": {"overlays": platform.service(one.service).phase, "description": one.because}
        }
        for path, value in _told(one, platform):
            below = entry
            for key in path[:-1]:
                below = below.setdefault(key, {})
            below[path[-1]] = value
        services[one.service] = entry
    if not services:
        msg = "nothing is to be changed"
        raise ValueError(msg)
    return HEAD + yaml.dump({"services": services}, Dumper=ComposeDumper, sort_keys=False, width=120)


def diff(advice: Sequence[Advice], platform: Platform, phases: Sequence[str]) -> tuple[str, list[str]]:
    """The changes as a unified diff of the platform's files, and what stands in a form that has to be changed by hand.

    Args:
        advice: whose changes.
        platform: whose files.
        phases: those that are rolled out: what a later one lays over a service is changed there.
    """
    texts: dict[Path, str] = {}
    by_hand = []
    for one in advice:
        for path, value in _told(one, platform) if one.changes else ():
            files = [overlay.file for overlay in reversed(platform.overlays_of(one.service, phases))]
            try:
                _edit_first(texts, [*files, platform.service(one.service).file], one.service, path, value)
            except CannotEdit as error:
                by_hand.append(f"{one.service}: {'.'.join(path)} to {value}, by hand: {error}")
    parts = [
        "".join(
            unified_diff(
                path.read_text(encoding="utf-8-sig").splitlines(keepends=True),
                text.splitlines(keepends=True),
                f"a/{path.name}",
                f"b/{path.name}",
            )
        )
        for path, text in texts.items()
    ]
    return "".join(parts), by_hand


def memory_text(count: int) -> str:
    """Bytes as Compose reads them.

    >>> memory_text(768 * MIB), memory_text(2 * GIB), memory_text(1000)
    ('768M', '2G', '1000')
    """
    for unit, letter in ((GIB, "G"), (MIB, "M")):
        if count and count % unit == 0:
            return f"{count // unit}{letter}"
    return str(count)


def _edit_first(texts: dict[Path, str], files: Sequence[Path], service: str, path: Sequence[str], value: str) -> None:
    """Change it in the file that speaks last of it; where none does, add it where the service was born."""
    for file in files:
        text = texts.get(file) or file.read_text(encoding="utf-8-sig")
        changed = edit(text, ("services", service, *path), value, add=file is files[-1])
        if changed is not None:
            texts[file] = changed
            return


def _told(one: Advice, platform: Platform) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is to be said anew, where, and how; Compose has two places for each, and refuses both at once."""
    now, new = one.now, one.proposed
    if new is None:
        return
    definition = platform.service(one.service).compose
    if new.cpus is not None and new.cpus != now.cpus:
        yield _place(definition, "cpus", (*LIMITS, "cpus")), f"{new.cpus:.2f}"
    if new.memory is not None and new.memory != now.memory:
        yield _place(definition, "mem_limit", (*LIMITS, "memory")), memory_text(new.memory)
    if new.reserved_cpus is not None and new.reserved_cpus != now.reserved_cpus:
        yield (*RESERVATIONS, "cpus"), f"{new.reserved_cpus:.2f}"
    if new.reserved_memory is not None and new.reserved_memory != now.reserved_memory:
        yield _place(definition, "mem_reservation", (*RESERVATIONS, "memory")), memory_text(new.reserved_memory)


def _place(definition: Mapping[str, Any], short: str, path: tuple[str, ...]) -> tuple[str, ...]:
    return (short,) if short in definition else path
