"""What services should be allowed: never out of thin air, never less than was seen, and never quietly."""

from __future__ import annotations

import pytest
from capacity_days import FIRST, MIB, day, days, killed
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.capacity.facts import MEMORY_BAND, SLICES, ServiceDay
from sutazai_ops.capacity.regime import current_regime
from sutazai_ops.capacity.sizing import Advice, Confidence, Kind, Size, advise, judge

GIB = 1024 * MIB
HALF = Size(int(512 * MIB), 0.5)
sizes = st.floats(min_value=4 * MIB, max_value=64 * GIB)


def kinds(advice: Advice) -> set[Kind]:
    return {one.kind for one in advice.findings}


@given(st.lists(sizes, min_size=3, max_size=8))
def test_a_proposed_limit_is_above_every_peak_that_was_measured(peaks):
    advice = advise("web", days(len(peaks), lambda number: peaks[number], memory_limit=None), Size())
    assert advice.proposed is not None
    assert advice.proposed.memory >= 1.25 * max(peaks) * 0.999
    assert advice.proposed.reserved_memory <= advice.proposed.memory


@given(st.lists(sizes, min_size=7, max_size=10), sizes)
def test_what_is_proposed_is_kept_once_it_is_rolled_out(peaks, limit):
    facts = days(len(peaks), lambda number: peaks[number], memory_limit=limit)
    first = advise("web", facts, Size(int(limit), 0.5))
    assert first.proposed is not None
    assert not advise("web", facts, first.proposed).changes


def test_with_the_proposed_limit_memory_is_where_it_should_be_or_below():
    advice = advise("web", days(14), HALF)
    assert advice.evidence.memory_p95 / advice.proposed.memory <= MEMORY_BAND.high


@pytest.mark.parametrize(
    ("count", "confidence"),
    [(0, "insufficient data"), (2, "insufficient data"), (3, "low"), (6, "low"), (7, "medium"), (14, "high")],
)
def test_how_sure_it_is_depends_on_the_days(count, confidence):
    advice = advise("web", days(count), HALF)
    assert advice.confidence == confidence
    assert (advice.proposed is None) == (count < 3)


def test_a_few_days_are_said_to_be_few():
    assert advise("web", days(2), HALF).because == "2 days of data, and 3 are the fewest that say anything"
    assert advise("web", [], HALF).because == "nothing was measured of it"


def test_days_that_were_hardly_measured_do_not_count():
    hardly = [day(number, memory=[300 * MIB] * 100 + [None] * 188) for number in range(9)]
    assert advise("web", hardly, HALF).confidence is Confidence.INSUFFICIENT


def test_nothing_is_taken_away_on_a_few_days():
    advice = advise("web", days(4, 50 * MIB), Size(int(4 * GIB), 0.5))
    assert advice.proposed.memory == 4 * GIB
    assert Kind.NOT_LOWERED in kinds(advice)
    assert advise("web", days(8, 50 * MIB), Size(int(4 * GIB), 0.5)).proposed.memory == 80 * MIB


def test_what_holds_state_keeps_its_memory_and_is_told_why():
    advice = advise("redis", days(14, 50 * MIB), HALF, keeps_memory="it has a maxmemory")
    assert advice.proposed.memory == HALF.memory
    assert [one.sentence for one in advice.findings] == ["memory could go down to 80 MiB, but it has a maxmemory"]
    assert advise("redis", days(14, 500 * MIB), HALF, keeps_memory="it has one").proposed.memory == 768 * MIB


def test_a_peak_near_the_limit_raises_it_even_on_a_few_days():
    advice = advise("web", days(4, 500 * MIB), HALF)
    assert advice.proposed.memory == 768 * MIB
    assert Kind.NEAR_LIMIT in kinds(advice)


def test_a_service_that_was_killed_needs_more_than_was_measured():
    facts = [*days(13, 505 * MIB), day(13, memory=511 * MIB, kills=killed(2))]
    advice = advise("web", facts, HALF)
    assert (advice.confidence, advice.proposed.memory) == (Confidence.LOW, 768 * MIB)
    assert "killed twice" in advice.because


def test_a_service_without_a_limit_is_said_so():
    advice = advise("web", days(14, memory_limit=None, cpu_limit=None), Size())
    assert {Kind.NO_MEMORY_LIMIT, Kind.NO_CPU_LIMIT} <= kinds(advice)
    assert advice.proposed.memory == 432 * MIB
    assert advice.evidence.memory_in_band is None


def test_a_small_difference_is_not_worth_a_restart():
    advice = advise("web", days(14, 400 * MIB), Size(int(560 * MIB), 0.35, int(400 * MIB), 0.2))
    assert not advice.changes
    assert "what it has suits it" in advice.because


def test_a_leak_is_told_and_its_growth_allowed_for():
    advice = advise("web", days(14, lambda number: (200 + 10 * number) * MIB), Size(int(GIB), 0.5))
    assert Kind.GROWS in kinds(advice)
    assert advice.evidence.growth == pytest.approx(10 * MIB, rel=0.02)
    # The limit of 1 GiB is 694 MiB above the last peak of 330.
    assert any("its limit is reached in about 69 days" in one.sentence for one in advice.findings)
    assert advice.proposed.memory >= (330 * 1.25 + 300) * MIB


def test_a_leap_after_a_resize_begins_anew():
    facts = [*days(10, 480 * MIB), *(day(number, memory=900 * MIB, memory_limit=GIB) for number in range(10, 14))]
    advice = advise("web", facts, Size(int(GIB), 0.5))
    assert (advice.evidence.days, advice.evidence.first) == (3, facts[11].day)
    assert Kind.RESIZED in kinds(advice)
    (said,) = (one.sentence for one in advice.findings if one.kind is Kind.RESIZED)
    assert "from 512 MiB to 1 GiB" in said
    assert "days before do not count" in said


def test_a_resize_that_changes_nothing_leaves_all_days():
    facts = [*days(10, 300 * MIB), *(day(number, memory=310 * MIB, memory_limit=GIB) for number in range(10, 14))]
    assert current_regime(facts).since is None
    assert advise("web", facts, Size(int(GIB), 0.5)).evidence.days == 14


def test_a_resize_of_yesterday_says_nothing_yet():
    facts = [*days(10), day(10, memory_limit=GIB)]
    advice = advise("web", facts, Size(int(GIB), 0.5))
    assert advice.confidence is Confidence.INSUFFICIENT
    assert advice.because == "it was resized on 2026-10-11, and no whole day has been measured since"


def test_copies_share_what_was_measured():
    one, three = advise("web", days(14, 100 * MIB), Size()), advise("web", days(14, 300 * MIB), Size(), copies=3)
    assert three.evidence.memory_peak == one.evidence.memory_peak
    assert three.proposed.memory == one.proposed.memory


def test_processors_follow_what_is_usual_and_not_a_short_peak():
    cpu = [0.2] * (SLICES - 6) + [0.3] * 6
    advice = advise("web", [day(number, cpu=cpu) for number in range(14)], Size(int(512 * MIB), 0.6))
    assert advice.proposed.cpus == 0.35
    assert advice.proposed.reserved_cpus <= advice.proposed.cpus


def test_processors_are_at_most_halved_at_once():
    assert advise("web", days(14), Size(int(512 * MIB), 4.0)).proposed.cpus == 2


class TestTheLimitThatThePlanAsksFor:
    """256 MB for every agent."""

    def test_one_that_grows_into_it_is_told_when(self):
        leaks = days(14, lambda number: (100 + 10 * number) * MIB)
        judged = judge("agent", leaks, int(256 * MIB))
        assert (judged.holds, judged.days_over) == (False, 0)
        assert judged.sentence == ("so far it used at most 230 MiB, and it grows: 256 MiB are reached in about 3 days")
        assert judge("agent", leaks, int(1024 * MIB)).holds is True

    @pytest.mark.parametrize(("peak", "holds"), [(150, True), (300, False)])
    def test_it_is_judged_by_what_was_used(self, peak: int, holds: bool):
        assert judge("agent", days(14, peak * MIB), int(256 * MIB)).holds is holds

    def test_one_bad_day_is_enough(self):
        judged = judge("agent", [*days(13, 100 * MIB), day(13, memory=[100 * MIB] * 287 + [300 * MIB])], int(256 * MIB))
        assert (judged.holds, judged.days_over) == (False, 1)
        assert judged.sentence == "256 MiB would have ended it on 1 of 14 days: it used 300 MiB"

    def test_an_agent_that_was_killed_below_it_says_nothing_of_it(self):
        facts = [day(number, memory=190 * MIB, memory_limit=192 * MIB, kills=killed(1)) for number in range(5)]
        judged = judge("agent", facts, int(256 * MIB))
        assert judged.holds is None
        assert "never measured" in judged.sentence
        assert judge("agent", facts, int(128 * MIB)).holds is False

    def test_two_days_say_nothing_good_but_can_say_that_it_is_too_little(self):
        assert judge("agent", days(2, 100 * MIB), int(256 * MIB)).holds is None
        assert judge("agent", days(2, 300 * MIB), int(256 * MIB)).holds is False

    def test_little_to_spare_is_said(self):
        assert judge("agent", days(5, 240 * MIB), int(256 * MIB)).sentence.endswith("94 % of it, with little to spare")


@given(st.lists(st.tuples(sizes, sizes), min_size=1, max_size=8))
def test_the_days_that_count_are_always_the_newest(levels):
    facts: list[ServiceDay] = [
        day(number, memory=peak, memory_limit=limit) for number, (peak, limit) in enumerate(levels)
    ]
    found = list(current_regime(facts).days)
    assert found == facts[len(facts) - len(found) :]
    assert all(one.day >= FIRST for one in found)


def test_a_service_that_is_held_back_at_its_processor_limit_is_given_half_as_much_again():
    """What it used is the limit, and says nothing of what it needs."""
    waits = [float(number * 30) for number in range(SLICES + 1)]
    free, held = (advise("web", days(14, cpu=0.2, throttled=one), HALF) for one in ((), waits))
    assert free.proposed.cpus < 0.5
    assert held.evidence.held_back == pytest.approx(0.1)
    assert held.proposed.cpus == 0.75
    assert Kind.THROTTLED in {one.kind for one in held.findings}


def test_being_held_back_for_a_moment_changes_nothing():
    waits = [float(number // 100) for number in range(SLICES + 1)]
    assert advise("web", days(14, cpu=0.2, throttled=waits), HALF).proposed == advise("web", days(14), HALF).proposed
