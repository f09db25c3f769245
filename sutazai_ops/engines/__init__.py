"""WHERE it runs: the one door to every running service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

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
    Kill,
    Network,
    NoEngine,
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
    "Kill",
    "Network",
    "NoEngine",
    "Observed",
    "Order",
    "Port",
    "ScratchOptions",
    "Server",
    "Starting",
    "State",
    "Tools",
    "Usage",
    "chosen_engine",
    "installed",
    "open_engine",
]


def open_engine(settings: Settings, platform: Platform) -> Engine:
    """The engine that the settings name, for a platform whose external services are already marked as such."""
    if chosen_engine(settings) == "compose":
        from sutazai_ops.engines.compose.engine import ComposeEngine

        return ComposeEngine(settings, platform)
    from sutazai_ops.engines.embedded import EmbeddedEngine

    return EmbeddedEngine(settings, platform)


def chosen_engine(settings: Settings) -> Literal["embedded", "compose"]:
    """Which engine the settings mean here."""
    if settings.engine != "auto":
        return settings.engine
    if any(settings.home.glob("embedded/*/data")):
        # Data that is there is not left behind because somebody has installed Docker since.
        return "embedded"
    from sutazai_ops.engines.compose import daemon

    return "compose" if daemon.answers() else "embedded"
