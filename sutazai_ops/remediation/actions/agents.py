"""Having more agents take from a queue that grows old, between the bounds of the rules of autoscaling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.remediation.actions.queues import named_queue

if TYPE_CHECKING:
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry


def scale_out(here: Installation, incident: IncidentEntry) -> str:
    """Add one step of containers; raises `Refused` where no rule leaves room, or autoscaling does so by itself."""
    from sutazai_ops.capacity import add_within_bounds

    queue = named_queue(here, incident).name
    done = add_within_bounds(
        here, queue, because=f"incident {incident.number}: {incident.summary}", actor="remediation"
    )
    return f"{done.service} has {done.after} containers in place of {done.before}"
