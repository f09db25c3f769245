"""WHEN something may be down: windows in which nobody is told of a service, each with a reason and an end."""

from __future__ import annotations

from sutazai_ops.maintenance.recurring import FollowedWindows, RecurringWindow, coming, holding, read_windows
from sutazai_ops.maintenance.windows import Kind, close, deploying, in_force, open_window

__all__ = [
    "FollowedWindows", "Kind", "RecurringWindow", "close", "coming", "deploying", "holding", "in_force", "open_window",
    "read_windows",
]  # fmt: skip
