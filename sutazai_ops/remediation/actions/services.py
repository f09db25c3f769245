"""Starting a service again, making it anew, putting what ran before back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.errors import Refused
from sutazai_ops.progress import Silent

if TYPE_CHECKING:
    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry


def restart(here: Installation, incident: IncidentEntry) -> str:
    """Stop it and start it."""
    here.engine.restart(incident.target)
    return f"{incident.target} was stopped and started"


def recreate(here: Installation, incident: IncidentEntry) -> str:
    """Make it anew as its release means it."""
    from sutazai_ops.deployment.deployments import Deployments

    number = Deployments.of(here).recreate(Silent(), incident.target, f"incident {incident.number}")
    return f"{incident.target} was made anew as release {number} means it"


def roll_back(here: Installation, incident: IncidentEntry) -> str:
    """Put its phase back to the last release in which that was good, before the one that changed the service."""
    from sutazai_ops.deployment.deployments import Deployments

    deployments = Deployments.of(here)
    current = deployments.releases.current()
    if current is None or incident.target not in current.services:
        raise Refused(f"no release has {incident.target}")
    one = current.services[incident.target]
    good = deployments.releases.last_good(one.phase, before=one.release)
    if good is None:
        raise Refused(f"{one.phase} was never good before release {one.release}, which changed {incident.target}")
    deployments.roll_back(Silent(), good.number, [one.phase])
    return f"{one.phase} runs as release {good.number} again"
