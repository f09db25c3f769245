"""What the ledger is told of deployments and of drift."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sutazai_ops.ledger.entries import DeploymentEntry, DriftEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sutazai_ops.deployment.deploy import PhaseReport
    from sutazai_ops.deployment.drift import Drift


def deployment_entry(report: PhaseReport, reason: str, now: datetime) -> DeploymentEntry:
    """One phase's roll-out as a row; `reason` is why its release was made."""
    return DeploymentEntry(
        release=report.release,
        phase=report.phase,
        finished_at=now,
        seconds=report.seconds,
        outcome=report.outcome,
        steps=[{"service": step.service, "act": str(step.act), "because": step.because} for step in report.steps],
        backup_set=report.backup_set,
        note=report.because.partition("\n")[0],
        reason=reason,
        put_back_to=report.put_back_to,
    )


def drift_entry(release: int, found: Sequence[Drift], now: datetime) -> DriftEntry:
    """One look at what runs, as a row."""
    return DriftEntry(at=now, release=release, drifts=[asdict(drift) for drift in found])
