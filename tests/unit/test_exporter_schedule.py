"""When works are done: beside each other, on their intervals, whatever one of them does."""

from __future__ import annotations

import threading
import time

from sutazai_ops.monitoring.exporter.schedule import Schedule, Work


def running(*works: Work, workers: int = 16) -> Schedule:
    schedule = Schedule(workers=workers)
    for work in works:
        schedule.add(work, first_within=0)
    schedule.start()
    return schedule


def times(interval: float = 0.05):
    """A work that notes when it was done, and the notes."""
    notes: list[float] = []
    return Work("noting", interval, lambda: notes.append(time.monotonic())), notes


def test_a_work_is_done_again_and_again_on_its_interval():
    work, notes = times(interval=0.2)
    schedule = running(work)
    time.sleep(2)
    schedule.stop()
    # A busy machine makes a turn late, never early, and the one after it is counted from when it was due.
    assert 6 <= len(notes) <= 12
    assert (notes[-1] - notes[0]) / (len(notes) - 1) > 0.17


def test_a_work_that_hangs_delays_no_other_and_is_not_begun_again():
    over, begun = threading.Event(), []

    def hang() -> None:
        begun.append(1)
        over.wait()

    hanging = [Work(f"hanging {number}", 0.02, hang) for number in range(8)]
    work, notes = times()
    before = threading.active_count()
    schedule = running(*hanging, work)
    time.sleep(0.6)
    try:
        assert len(begun) == 8
        assert len(notes) >= 9
        assert threading.active_count() <= before + 8 + 2
    finally:
        over.set()
        schedule.stop()


def test_works_that_hang_in_every_turn_there_is_keep_another_waiting_for_a_second_at_most():
    over = threading.Event()
    work, notes = times(interval=10)
    schedule = running(*(Work(f"hanging {number}", 10, over.wait) for number in range(4)), workers=4)
    time.sleep(0.2)
    begun = time.monotonic()
    schedule.add(work, first_within=0)
    try:
        while not notes and time.monotonic() < begun + 5:
            time.sleep(0.01)
        assert 0.9 < notes[0] - begun < 1.5
    finally:
        over.set()
        schedule.stop()


def test_a_defect_in_one_work_ends_its_turn_and_nothing_else(caplog):
    def fail() -> None:
        raise ZeroDivisionError

    work, notes = times()
    schedule = running(Work("failing", 0.05, fail), work)
    time.sleep(0.3)
    schedule.stop()
    assert len(notes) >= 4
    assert "a defect of this program in failing" in caplog.text


def test_a_work_that_was_removed_is_not_done_again():
    work, notes = times()
    schedule = running(work)
    time.sleep(0.2)
    schedule.remove("noting")
    time.sleep(0.1)
    done = len(notes)
    time.sleep(0.2)
    schedule.stop()
    assert len(notes) == done


def test_a_work_takes_the_place_of_its_namesake():
    old, of_old = times()
    new, of_new = times()
    schedule = running(old)
    schedule.add(new, first_within=0)
    time.sleep(0.05)
    of_old.clear()
    time.sleep(0.2)
    schedule.stop()
    assert not of_old
    assert of_new


def test_a_work_that_is_hastened_is_done_at_once_and_goes_on_as_usual():
    work, notes = times(interval=30)
    schedule = running(work)
    time.sleep(0.1)
    schedule.hasten("noting")
    time.sleep(0.1)
    schedule.stop()
    assert len(notes) == 2


def test_a_work_can_be_hastened_for_a_little_later():
    work, notes = times(interval=30)
    schedule = running(work)
    time.sleep(0.1)
    schedule.hasten("noting", after=0.3)
    time.sleep(0.1)
    at_once = len(notes)
    time.sleep(0.4)
    schedule.stop()
    assert (at_once, len(notes)) == (1, 2)


def test_a_clock_that_stood_still_makes_nothing_be_caught_up():
    now = [0.0]
    work, notes = times(interval=1)
    schedule = Schedule(clock=lambda: now[0])
    schedule.add(work, first_within=0)
    schedule.start()
    for moment in (0, 1_000_000, 1_000_000.1):
        now[0] = moment
        # Whoever waits by a clock that others move has to be woken.
        schedule.hasten("nobody")
        with schedule._changed:
            schedule._changed.notify()
        time.sleep(0.05)
    schedule.stop()
    assert len(notes) == 2


def test_nothing_is_begun_after_the_stop():
    work, notes = times()
    schedule = running(work)
    schedule.stop()
    done = len(notes)
    time.sleep(0.2)
    assert len(notes) == done
