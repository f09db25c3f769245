"""Having a service read its configuration again, starting it again, making it anew, putting what ran before back; and
undoing what made it worse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sutazai_ops.errors import Refused
from sutazai_ops.monitoring.servers import is_alertmanager, is_prometheus
from sutazai_ops.progress import Silent
from sutazai_ops.remediation.playbook import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry
    from sutazai_ops.platform import Service


Undo = Callable[[], str]
"""Puts back what was before an action; says in one sentence what it did, or raises `OpsError`."""


def undo_of(here: Installation, action: Action, incident: IncidentEntry) -> Undo:
    """What would undo an action, from what is so before it."""
    if action is Action.ROLL_BACK:
        return _forward(here, incident)

    def start() -> str:
        here.engine.start(incident.target)
        return f"{incident.target} was started, since it ran before"

    return start


def _forward(here: Installation, incident: IncidentEntry) -> Undo:
    from sutazai_ops.deployment.deployments import Deployments

    deployments = Deployments.of(here)
    before = deployments.releases.current()

    def forward() -> str:
        if before is None or incident.target not in before.services:
            raise Refused(f"no release had {incident.target}")
        phase = before.services[incident.target].phase
        deployments.roll_back(Silent(), before.number, [phase])
        return f"{phase} was put back to release {before.number}, which ran before"

    return forward


HANG_UP = ("kill", "-HUP", "1")
"""What Prometheus and Alertmanager read their configuration again by; what is wrong in it they leave unread."""


def reload(here: Installation, incident: IncidentEntry) -> str:
    """Have it read its configuration again; raises `Refused` for what knows no such thing."""
    command = _reload_of(here.platform.service(incident.target))
    if command is None:
        raise Refused(f"{incident.target} has no way to read its configuration again while it runs")
    here.engine.execute(incident.target, command)
    return f"{incident.target} has read its configuration again"


def _reload_of(service: Service) -> Sequence[str] | None:
    if service.proxy is not None:
        return service.proxy.reload
    return HANG_UP if is_prometheus(service) or is_alertmanager(service) else None


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
