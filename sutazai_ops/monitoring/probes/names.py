"""What the probes of one service are called in figures and logs: their kind, and what tells two of a kind apart."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.platform import Probe


def probe_names(probes: Sequence[Probe]) -> list[str]:
    """A name for each probe of a service, in their order, no two alike; the same as long as the probes are the same.

    >>> from sutazai_ops.platform import Probe
    >>> probe_names([Probe(kind="http", port=80, path="/a"), Probe(kind="http", port=80, path="/b", through="edge")])
    ['http', 'http through edge']
    """
    for words in (_short, _with_place):
        names = [words(probe) for probe in probes]
        if len(set(names)) == len(names):
            return names
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(f"{name} #{seen[name]}" if seen[name] > 1 else name)
    return numbered


def _short(probe: Probe) -> str:
    words: list[str] = [probe.kind]
    words += [probe.target] if probe.target else []
    words += [f"through {probe.through}"] if probe.through else []
    return " ".join(words)


def _with_place(probe: Probe) -> str:
    place = f"{f':{probe.port}' if probe.port else ''}{probe.path or ''}"
    return f"{_short(probe)} {place}" if place else _short(probe)
