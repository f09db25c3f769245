"""Objectives: what users had, held against what was promised.

Other areas use what stands here, and nothing inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from sutazai_ops.installation import Installation
    from sutazai_ops.platform import Service
    from sutazai_ops.slo.gate import Gate
    from sutazai_ops.slo.promises import Promises

__all__ = ["look_at_gate", "may_be_away", "pass_gate", "promises_of"]


def promises_of(installation: Installation, services: Sequence[Service]) -> Promises:
    """What an installation promises; `services` are those that are meant to run."""
    from sutazai_ops.slo.promises import Promises

    return Promises(installation, services)


def may_be_away(installation: Installation, services: Sequence[Service], service: str) -> timedelta | None:
    """How long a service may be away in its window by the strictest objective that asks it from outside; None without.

    Raises:
        BadInput: for a file of objectives that is wrong.
    """
    from datetime import timedelta

    from sutazai_ops.slo.report_model import ObjectiveKind

    promised = [
        one.window * (1 - one.target)
        for one in promises_of(installation, services).objectives.values()
        if one.service == service and one.kind is ObjectiveKind.PROBE
    ]
    return timedelta(seconds=min(promised)) if promised else None


def look_at_gate(installation: Installation, services: Sequence[Service]) -> Gate:
    """What the gate before a deployment says, from what is known already; raises `OpsError` as `gate.ask`."""
    from datetime import UTC, datetime

    from sutazai_ops.slo.gate import ask

    return ask(promises_of(installation, services), datetime.now(UTC), fresh=False)


def pass_gate(
    installation: Installation, services: Sequence[Service], override: str | None, actor: str, release: int | None
) -> str:
    """Let a deployment begin, and say what is to be told of it; raises as `gate.pass_gate`."""
    from sutazai_ops.slo import gate

    return gate.pass_gate(promises_of(installation, services), override, actor, release)
