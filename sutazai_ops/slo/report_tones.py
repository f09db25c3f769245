"""The tone of each verdict, of each state of a day, and of an event; the words stand in the report itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sutazai_ops.reports.look import Tone
from sutazai_ops.slo.report_model import DayState, LaneKind
from sutazai_ops.slo.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sutazai_ops.slo.report_model import Event

VERDICT_TONES: Mapping[Verdict, Tone] = {
    Verdict.MET: Tone.GOOD,
    Verdict.MET_LOW_COVERAGE: Tone.GOOD_IN_PART,
    Verdict.INSUFFICIENT: Tone.UNKNOWN,
    Verdict.MISSED_LOW_COVERAGE: Tone.BAD_IN_PART,
    Verdict.MISSED: Tone.BAD,
}
DAY_TONES: Mapping[DayState, Tone] = {
    DayState.MET: Tone.GOOD,
    DayState.MISSED: Tone.BAD,
    DayState.PARTLY: Tone.GOOD_IN_PART,
    DayState.QUIET: Tone.QUIET,
    DayState.UNKNOWN: Tone.UNKNOWN,
    DayState.BEFORE: Tone.NONE,
    DayState.GONE: Tone.NONE,
    DayState.AHEAD: Tone.NONE,
}


def tone_of(event: Event, lane: LaneKind) -> Tone:
    """An incident is bad however it ended, a gap is not known, and the rest is as it went."""
    match lane:
        case LaneKind.INCIDENT:
            return Tone.BAD
        case LaneKind.GAP:
            return Tone.UNKNOWN
        case _:
            return Tone.BAD if event.went_well is False else Tone.QUIET
