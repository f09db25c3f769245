"""Rules of autoscaling: between which bounds a service's containers follow the age of its queue.

`autoscaling.yaml` holds those of this program, and a file of the user's own (setting `capacity.autoscaling_rules`) is
laid over it. A rule that could only flap, or whose service cannot have a second container, is refused when it is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from sutazai_ops.deployment.scaling import why_not
from sutazai_ops.model import Model
from sutazai_ops.monitoring.duration import Duration, format_duration
from sutazai_ops.monitoring.entries import read_entries
from sutazai_ops.platform import ServiceName
from sutazai_ops.words import nearest

if TYPE_CHECKING:
    from sutazai_ops.monitoring.entries import Entry
    from sutazai_ops.platform import Platform

PACKAGED = Path(__file__).with_name("autoscaling.yaml")
PAGE = "docs/capacity/autoscaling.md"
Copies = Annotated[int, Field(ge=1, le=100)]


class Trigger(Model):
    """How long something has to be so."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    for_: Duration = Field(alias="for")
    """Seconds without a pause."""


class Up(Trigger):
    """When containers are added."""

    above: Duration
    """Seconds that the oldest entry waits."""


class Down(Trigger):
    """When one is taken away."""

    below: Duration
    """Likewise."""


class Rule(Model):
    """How one service follows its queue."""

    name: str
    service: ServiceName
    up: Up
    down: Down
    least: Copies = 1
    most: Copies
    step: Copies = 1
    """How many are added at a time; they are taken away one by one."""
    cool_down: Duration = 300.0
    """Seconds after a change in which none is made."""
    because: str = ""

    @model_validator(mode="after")
    def _can_rest(self) -> Self:
        if self.down.below >= self.up.above:
            msg = (
                f"down.below ({format_duration(self.down.below)}) has to be lower than up.above"
                f" ({format_duration(self.up.above)}), or it would flap"
            )
            raise ValueError(msg)
        if self.least >= self.most:
            msg = f"least ({self.least}) has to be lower than most ({self.most})"
            raise ValueError(msg)
        return self


def read_rules(platform: Platform, over: Path | None = None) -> dict[str, Rule]:
    """Every rule by name, with those of the file `over` laid over the packaged ones.

    Packaged rules on services that this platform does not have are left out.

    Raises:
        BadInput: for what is wrong in a file, and for a service that has no queue or cannot have a second container;
            names file and line.
    """
    found: dict[str, Rule] = {}
    for name, entry in read_entries(PACKAGED, over, PAGE).items():
        rule = entry.as_model(Rule, "rule")
        if rule.service in platform.services or entry.files[0].path != PACKAGED:
            _check(entry, rule, platform, found)
            found[name] = rule
    return found


def _check(entry: Entry, rule: Rule, platform: Platform, before: dict[str, Rule]) -> None:
    service = platform.services.get(rule.service)
    if service is None:
        remedy = nearest(rule.service, platform.services) or "sutazai-ops status lists them"
        raise entry.refuse(f"there is no service {rule.service!r}", "service", remedy=remedy)
    if service.takes is None:
        raise entry.refuse(
            f"{rule.service} does not say which queue it takes from",
            "service",
            remedy="write x-sutazai: {takes: {queue: NAME}} below it; docs/platform/example.yaml shows it",
        )
    if why := why_not(service, service.compose):
        raise entry.refuse(f"{rule.service} cannot have a second container: {why}", "service", remedy="take it away")
    if other := next((one.name for one in before.values() if one.service == rule.service), None):
        raise entry.refuse(f"the rules {other} and {rule.name} are on one service", "service", remedy="keep one")
