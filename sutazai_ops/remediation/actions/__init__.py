"""What each action of a playbook does. Each says in one sentence what it did, or raises `OpsError` with why not.

None of them deletes data (a cache is none) or prunes a volume, and none runs anything that a file says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.remediation.actions.agents import scale_out
from sutazai_ops.remediation.actions.caches import drop_cache
from sutazai_ops.remediation.actions.disk import free_disk
from sutazai_ops.remediation.actions.models import unload_model
from sutazai_ops.remediation.actions.queries import end_queries
from sutazai_ops.remediation.actions.queues import dead_letter
from sutazai_ops.remediation.actions.services import recreate, reload, restart, roll_back
from sutazai_ops.remediation.playbook import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sutazai_ops.installation import Installation
    from sutazai_ops.ledger import IncidentEntry

ACTIONS: Mapping[Action, Callable[[Installation, IncidentEntry], str]] = {
    Action.RELOAD: reload,
    Action.RESTART: restart,
    Action.RECREATE: recreate,
    Action.ROLL_BACK: roll_back,
    Action.END_QUERIES: end_queries,
    Action.UNLOAD_MODEL: unload_model,
    Action.DROP_CACHE: drop_cache,
    Action.DEAD_LETTER: dead_letter,
    Action.SCALE_OUT: scale_out,
    Action.FREE_DISK: free_disk,
}
"""All of the list, and nothing else."""
