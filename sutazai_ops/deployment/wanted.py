"""What each service shall be: its definition as it will stand in a release, and the hash of all that it is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.platform import Service, Tier


@dataclass(frozen=True, slots=True)
class WantedService:
    """One service as it shall be."""

    name: str
    phase: str
    project: str
    definition: Mapping[str, Any] = field(repr=False)
    """As it will stand in the release's Compose file: the chosen image, copied files by their path from there."""
    image: str
    depends_on: tuple[str, ...]
    """What it cannot run without, of whichever phase."""
    tier: Tier
    service: Service = field(repr=False)
    one_shot: bool
    """Whether it is done once it has ended well."""
    start_first: bool
    """Whether a new version is started beside the old one, which then is taken away."""
    spec: str
    """SHA-256 of all that it is made of."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service may use of its host; None where it has no limit."""

    memory: int | None = None
    """Bytes."""
    cpus: float | None = None
    pids: int | None = None
