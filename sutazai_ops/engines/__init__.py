"""WHERE it runs: the one door to every running service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.engines.base import (
    Account,
    Act,
    Capacity,
    Change,
    Command,
    Container,
    Endpoint,
    Engine,
    Health,
    Network,
    Observed,
    Order,
    Port,
    ScratchOptions,
    Server,
    Starting,
    State,
    Tools,
    Usage,
)
from sutazai_ops.engines.scratch_folder import scratch_folder, sweep_scratch
from sutazai_ops.engines.toolchain import installed

if TYPE_CHECKING:
    from sutazai_ops.platform import Platform
    from sutazai_ops.settings import Settings

__all__ = [
    "Account",
    "Act",
    "Capacity",
    "Change",
    "Command",
    "Container",
    "Endpoint",
    "Engine",
    "Health",
    "Network",
    "Observed",
    "Order",
    "Port",
    "ScratchOptions",
    "Server",
    "Starting",
    "State",
    "Tools",
    "Usage",
    "installed",
    "open_engine",
    "scratch_folder",
    "sweep_scratch",
]


def open_engine(settings: Settings, platform: Platform) -> Engine:
    """The engine that the settings name, for a platform whose external services are already marked as such."""
    from sutazai_ops.engines.embedded import EmbeddedEngine

    return EmbeddedEngine(settings, platform)
