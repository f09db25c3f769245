"""WHAT happened: an index of backup sets, proofs, restores and prunes, for questions that files are slow to answer.

All that it knows of backups can be made again from the sets' own manifests, so a lost ledger loses no backup. Daily
facts of objectives and of capacity stand in it alone, once Prometheus has let their samples go, and so do what users
were told and what happened in incidents.

Whoever wants the entries alone loads no SQLAlchemy, which takes 19 MB: the exporter lives for months.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sutazai_ops.ledger.entries import (
    BaselineEntry,
    DayValueEntry,
    EventEntry,
    FactEntry,
    NoticeEntry,
    NoticeUpdateEntry,
    OverrideEntry,
    Prune,
    QuestionEntry,
    Restore,
    ScalingEntry,
    ServiceDayEntry,
    SetEntry,
    VerificationEntry,
    WindowEntry,
)
from sutazai_ops.ledger.incident_entries import (
    IncidentEntry,
    IncidentEventEntry,
    ModeEntry,
    RepairEntry,
    VerdictEntry,
)

if TYPE_CHECKING:
    from sutazai_ops.ledger.ledger import Ledger
    from sutazai_ops.ledger.open import open_ledger

__all__ = [
    "BaselineEntry",
    "DayValueEntry",
    "EventEntry",
    "FactEntry",
    "IncidentEntry",
    "IncidentEventEntry",
    "Ledger",
    "ModeEntry",
    "NoticeEntry",
    "NoticeUpdateEntry",
    "OverrideEntry",
    "Prune",
    "QuestionEntry",
    "RepairEntry",
    "Restore",
    "ScalingEntry",
    "ServiceDayEntry",
    "SetEntry",
    "VerdictEntry",
    "VerificationEntry",
    "WindowEntry",
    "open_ledger",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (https://peps.python.org/pep-0562/)
    if name == "Ledger":
        from sutazai_ops.ledger.ledger import Ledger

        return Ledger
    if name == "open_ledger":
        from sutazai_ops.ledger.open import open_ledger

        return open_ledger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
