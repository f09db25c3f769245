"""Reads a folder of Compose files into a `Platform`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.platform.model import Platform

if TYPE_CHECKING:
    from pathlib import Path


def read_platform(folder: Path) -> Platform:
    """Read every Compose file of `folder`, one a phase."""
    return Platform(folder=folder, phases=(), services={})
