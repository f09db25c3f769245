"""What may mend an incident: a playbook is a ladder of rungs, and each does one thing of a short list.

The list stands in code, and so does what each thing does: a playbook names it and can give it no command. Nothing of it
deletes data or prunes a volume. `playbooks.py` reads the files.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from sutazai_ops.model import Model
from sutazai_ops.monitoring.duration import Duration
from sutazai_ops.monitoring.thresholds import Condition
from sutazai_ops.platform.model import ServiceName


class Action(StrEnum):
    """What a rung can do. Diagnostics are collected before any of them, and a person is told after the last."""

    RELOAD = "reload"
    """Have the service read its configuration again while it runs."""
    RESTART = "restart"
    """Stop the service and start it."""
    RECREATE = "recreate"
    """Make it anew from its release."""
    ROLL_BACK = "roll-back"
    """Put the release before back, for the service's phase."""
    END_QUERIES = "end-queries"
    """End the queries of PostgreSQL that run for too long, and sessions that hold a transaction and do nothing."""
    UNLOAD_MODEL = "unload-model"
    """Have Ollama take a model out of memory that nobody asks."""
    DROP_CACHE = "drop-cache"
    """Drop the keys of a Redis that its files call a cache."""
    DEAD_LETTER = "dead-letter"
    """Put what nobody can finish out of a queue into a list beside it."""
    SCALE_OUT = "scale-out"
    """Have more agents take from a queue, between the bounds of the rules of autoscaling."""
    FREE_DISK = "free-disk"
    """Remove images without a name, build cache and old log files of this program."""

    @property
    def disrupts(self) -> bool:
        """Whether its target is away for a while."""
        return self in {Action.RESTART, Action.RECREATE, Action.ROLL_BACK}

    @property
    def is_of_the_host(self) -> bool:
        """Whether it can be done where the incident names no service."""
        return self in {Action.FREE_DISK, Action.UNLOAD_MODEL}


class Check(StrEnum):
    """What has to be so before a rung is tried; where it is not, the rung is passed over."""

    RUNS = "runs"
    """The service runs."""
    RELEASED_LATELY = "released-lately"
    """It was rolled out within the last day, and there is a release before."""
    MEASURES = "measures"
    """It is one of those that measure: Prometheus, Alertmanager or an exporter."""
    POSTGRES = "postgres"
    """It is a PostgreSQL."""
    CACHES = "caches"
    """Its files call some of its keys a cache."""


class Rung(Model):
    """One step of a ladder: what has to be so, what is done, and how it is seen that it helped."""

    act: Action
    when: tuple[Check, ...] = ()
    """Otherwise it is passed over."""
    targets: tuple[ServiceName, ...] = ()
    """The services that it is for; all if left out. For any other it is passed over."""
    approval: bool = False
    """Whether a person has to agree, whatever the mode."""
    costs: Duration = 0.0
    """Seconds that the target is away by it."""
    grace: Duration = 30.0
    """Seconds after it until anything is looked at."""
    polls: Annotated[int, Field(ge=1, le=20)] = 3
    """How often in a row the incident has to be seen whole, for it to have helped."""
    verify: Condition | None = None
    """What has to be so as well, of a signal of the same target."""

    @property
    def name(self) -> str:
        """What it is called in verdicts and records."""
        return self.act.value


class Playbook(Model):
    """What is done about one symptom."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    description: str
    """One sentence."""
    persists: Duration = 90.0
    """Seconds that it has to be broken without a pause before anything is done."""
    loss: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The share of the target's work that is lost while it is broken."""
    grace: Duration | None = None
    """Seconds that the target may take after its start; what its health check says if left out."""
    lingers: Duration = 0.0
    """Seconds for which its signals still tell of what is over: as long as they look back."""
    works_blind: bool = False
    """Whether it may act while the monitoring is blind: for what mends the monitoring itself."""
    ladder: tuple[Rung, ...] = ()
    """What is tried, the mildest first; none where only a person can mend it."""

    @model_validator(mode="after")
    def _tries_nothing_twice(self) -> Playbook:
        names = [rung.name for rung in self.ladder]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            msg = f"the ladder has {twice} twice, and what did not help once is not tried again"
            raise ValueError(msg)
        return self


NO_PLAYBOOK = Playbook(name="none", description="Nobody has written down what may mend this.")
"""Of an incident whose thresholds name none."""
