"""Forecasts: a line that a clean-up does not bend, an interval that holds, and no day that nobody can know."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from capacity_days import FIRST, MIB, days
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.capacity.fit import Host, how_many_more
from sutazai_ops.capacity.forecast import Forecast, Resource, forecasts
from sutazai_ops.capacity.sizing import Size, advise
from sutazai_ops.capacity.trend import reached, trend
from sutazai_ops.capacity.values import DayValue, Kind, Subject

GB = 1e9
GIB = 1024 * MIB
NOW = datetime(2026, 12, 1, tzinfo=UTC)
ROOT: Subject = (("mountpoint", "/"),)


def value(measure: str, number: int, level: float, subject: Subject = ROOT) -> DayValue:
    return DayValue(measure, subject, FIRST + timedelta(days=number), Kind.LEVEL, "q", (level,) * 24, level, NOW)


def known(*values: DayValue) -> dict[tuple[str, Subject, date], DayValue]:
    return {(one.measure, one.subject, one.day): one for one in values}


def disk(count: int, used: float = 100 * GB, growth: float = GB, size: float = 200 * GB) -> Forecast:
    values = [value("disk", number, used + growth * number) for number in range(count)]
    (found,) = forecasts(known(*values, *(value("disk_size", number, size) for number in range(count))))
    return found


@given(
    st.floats(min_value=-1e6, max_value=1e6),
    st.floats(min_value=-1e3, max_value=1e3),
    st.integers(min_value=7, max_value=40),
)
def test_a_straight_line_is_found_as_it_is(level, slope, count):
    line = trend(range(count), [level + slope * number for number in range(count)])
    assert line is not None
    assert line.slope.likely == pytest.approx(slope, abs=1e-6)
    assert line.at(count + 30).likely == pytest.approx(level + slope * (count + 30), rel=1e-6, abs=1e-3)
    assert line.slope.low <= line.slope.likely <= line.slope.high


def test_a_third_of_the_days_may_be_out_of_line():
    values = [100.0 + number for number in range(30)]
    for number in (3, 4, 9, 14, 20, 21, 27):
        values[number] -= 60
    line = trend(range(30), values)
    assert line is not None
    assert line.slope.likely == pytest.approx(1, abs=0.1)


def test_fewer_than_seven_days_make_no_line():
    assert trend(range(6), range(6)) is None
    assert trend(range(7), range(7)) is not None


def test_the_interval_holds_what_comes_as_often_as_it_says():
    inside = 0
    for seed in range(200):
        noise = random.Random(seed)
        values = [50 + 0.7 * number + noise.gauss(0, 3) for number in range(60)]
        line = trend(range(30), values[:30])
        assert line is not None
        inside += line.at(59).low <= values[59] <= line.at(59).high
    assert inside / 200 >= 0.93


def test_the_day_that_a_limit_is_met_is_between_the_earliest_and_the_latest():
    line = trend(range(10), [float(number % 2 + number) for number in range(10)])
    assert line is not None
    earliest, likely, latest = reached(line, 100, 9, 365)
    assert earliest is not None
    assert likely is not None
    assert latest is not None
    assert 0 < earliest <= likely <= latest


def test_a_disk_that_grows_is_full_on_a_day():
    found = disk(14)
    assert (found.likely, found.now) == (FIRST + timedelta(days=100), 113 * GB)
    assert found.sentence == "disk / grows by 1.0 GB a day and is full about 2027-01-09"


def test_a_disk_that_does_not_grow_is_never_full():
    found = disk(14, growth=0)
    assert (found.earliest, found.likely, found.latest) == (None, None, None)
    assert "neither grows nor shrinks" in found.sentence


def test_a_year_is_as_far_as_it_looks():
    found = disk(14, growth=GB / 10)
    assert found.likely is None
    assert found.sentence == "disk / grows by 100.0 MB a day and lasts for more than a year"


def test_a_few_days_are_no_forecast():
    assert disk(6).sentence == "disk /: 6 days of data, and a forecast needs 7"


def test_a_full_disk_is_said():
    assert disk(14, used=200 * GB).sentence == "disk / has no room left"


def test_a_disk_that_was_made_larger_begins_anew():
    before = [value("disk", number, 150 * GB + number * 5 * GB) for number in range(10)]
    after = [value("disk", number, 50 * GB + number * GB) for number in range(10, 20)]
    sizes = [value("disk_size", number, 200 * GB if number < 10 else 400 * GB) for number in range(20)]
    (found,) = forecasts(known(*before, *after, *sizes))
    assert len(found.days) == 10
    assert found.growth is not None
    assert found.growth.likely == pytest.approx(GB)


def test_memory_and_backups_are_told_of_too():
    values = [value("host_memory", number, (8 + number / 10) * GIB, ()) for number in range(14)]
    sizes = [value("host_memory_size", number, 16 * GIB, ()) for number in range(14)]
    sets = [value("backup_size", number, GB * (1 + number), ()) for number in range(14)]
    found = {one.resource: one for one in forecasts(known(*values, *sizes, *sets))}
    assert found[Resource.MEMORY].likely == FIRST + timedelta(days=79)
    assert found[Resource.BACKUP].size is None
    assert found[Resource.BACKUP].sentence == "backup set grows by 1.0 GB a day"


class TestTheWholeStoreOfBackups:
    """All sets together, with the room that is left beside them for an end."""

    def store(self, taken: list[float], free: list[float]) -> Forecast:
        values = [value("backup_store", number, level, ()) for number, level in enumerate(taken)]
        left = [value("backup_free", number, level, ()) for number, level in enumerate(free)]
        (found,) = forecasts(known(*values, *left))
        return found

    def test_it_is_full_where_it_has_grown_by_what_is_free(self):
        found = self.store([GB * (10 + number) for number in range(14)], [GB * (113 - number) for number in range(14)])
        assert (found.now, found.size) == (23 * GB, 123 * GB)
        assert found.likely == FIRST + timedelta(days=113)
        assert found.sentence == "backup store grows by 1.0 GB a day and is full about 2027-01-22"

    def test_what_others_write_beside_it_takes_of_its_room_and_of_none_of_its_days(self):
        free = [GB * (500 - 30 * number) for number in range(14)]
        found = self.store([GB * (10 + number) for number in range(14)], free)
        assert (len(found.days), found.size) == (14, (23 + 110) * GB)

    def test_once_retention_takes_as_much_away_as_is_added_it_has_no_day(self):
        grown = [GB * min(10 + number * 5, 45) for number in range(30)]
        assert self.store(grown[7:], [GB * 100] * 23).sentence == "backup store neither grows nor shrinks for sure"
        found = self.store(grown, [GB * 100] * 30)
        assert (found.likely, found.latest) == (None, None)
        assert found.sentence.endswith(
            f"neither grows nor shrinks for sure, and is full on {found.earliest} at the earliest"
        )

    def test_without_the_room_it_has_no_end(self):
        found = self.store([GB * (10 + number) for number in range(14)], [])
        assert (found.size, found.sentence) == (None, "backup store grows by 1.0 GB a day")


class TestHowManyMoreServicesFit:
    """By what is used, by what is promised, and which of them is the end of it."""

    host = Host(16 * GIB, 4 * GIB, 5 * GIB, 8, 1)

    def advice(self, limit: float = 512 * MIB) -> list:
        return [advise(name, days(14), Size(int(limit), 0.5)) for name in ("a", "b")]

    def test_the_scarcest_is_the_end_of_it(self):
        # 8.6 GiB of 300 MiB each are 29; 5.4 cores of 0.2 each are 27; 15 GiB of limits of 512 MiB each are 30.
        found = how_many_more(self.advice(), self.host)
        assert (found.more, found.bound_by) == (27, "processors")
        assert how_many_more(self.advice(4 * GIB), self.host).bound_by == "the sum of memory limits"

    def test_a_full_host_has_room_for_none(self):
        assert how_many_more(self.advice(), Host(16 * GIB, 15 * GIB, 15 * GIB, 8, 1)).more == 0

    def test_what_was_not_measured_is_not_known(self):
        assert how_many_more(self.advice(), None).more is None
        assert how_many_more([], self.host).more is None
