"""What a fault came to, and the table of it: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sutazai_ops import human
from sutazai_ops.remediation.situation import NOTHING

DAY = 86_400.0
MONTH_BUDGET_SECONDS = 43.2 * 60
"""What 99.9 % of thirty days leave."""
COLUMNS = (
    "fault", "with", "detected", "verdict", "actions", "whole after", "requests lost", "budget spent", "data lost",
    "actions a day",
)  # fmt: skip
NOTE = """
*Detected*: from the fault until there is an incident of it, or until the loop calls something unhealthy. *Whole after*:
until users are served and the target does its work; `not within …` where it was not, after which the harness mended it
by hand: with nobody after 20 s where Docker does not mend it either, and what it costs goes on. *Budget*: the time lost
to users, by the share of requests that failed, of the month's 43 minutes at 99.9 %. *Data lost*: tasks that were
accepted and are neither done nor anywhere. *Actions a day*: those that were done, where the fault is over or a person
has it; else `at this pace` those of a day in which it would go on as was seen. What found nothing to do is no action.
"""


@dataclass(frozen=True, slots=True)
class Came:
    """What one fault came to with one healer."""

    fault: str
    healer: str
    observed: float = 0.0
    """Seconds from the fault until it was whole, or until nobody waited any more."""
    detected: float | None = None
    verdict: str = ""
    actions: Sequence[str] = ()
    """Each as `restart backend`."""
    whole: bool = False
    given_to_a_person: float | None = None
    """Seconds until then; None where nobody was told."""
    asked: int = 0
    failed: int = 0
    lost: int = 0
    """Tasks that were accepted and are nowhere."""
    unmeasured: str = ""
    """Why the harness itself could not measure it; empty where it could."""

    @property
    def budget_spent(self) -> float:
        """The share of a month's budget."""
        return self.observed * (self.failed / self.asked if self.asked else 0.0) / MONTH_BUDGET_SECONDS

    @property
    def actions_a_day(self) -> float:
        """At this pace, or what was done where it is over."""
        return len(self._done) if self.is_over else len(self._done) * DAY / self.observed

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done about it."""
        return self.whole or self.given_to_a_person is not None

    @property
    def _done(self) -> list[str]:
        return [one for one in self.actions if not one.endswith(f"({NOTHING})")]


def markdown(came: Sequence[Came], about: str) -> str:
    """The table, each fault's rows beneath each other, what it was measured on, and what its columns mean."""
    faults = list(dict.fromkeys(one.fault for one in came))
    beneath = sorted(came, key=lambda one: faults.index(one.fault))
    rows = [COLUMNS, ["---"] * len(COLUMNS), *(_row(one) for one in beneath)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return f"# What becomes of what is broken\n\n{about}\n\n" + "\n".join(lines) + "\n" + NOTE


def _row(one: Came) -> list[str]:
    if one.unmeasured:
        said = f"not measured: {one.unmeasured}".replace("|", "/")
        return [one.fault, one.healer, "", said, *[""] * (len(COLUMNS) - 4)]
    return [
        one.fault,
        one.healer,
        "" if one.detected is None else human.duration(one.detected),
        _verdict(one),
        _counted(one.actions) or "none",
        human.duration(one.observed) if one.whole else f"not within {human.duration(one.observed)}",
        f"{one.failed} of {one.asked}",
        f"{one.budget_spent:.1%}",
        "none" if not one.lost else human.count(one.lost, "task"),
        f"{one.actions_a_day:,.0f}" + ("" if one.is_over or not one.actions_a_day else " at this pace"),
    ]


def _verdict(one: Came) -> str:
    told = one.given_to_a_person
    return one.verdict if told is None else f"{one.verdict}; a person after {human.duration(told)}"


def _counted(actions: Sequence[str]) -> str:
    return ", ".join(
        f"{actions.count(one)}x {one}" if actions.count(one) > 1 else one for one in dict.fromkeys(actions)
    )
