"""What alerts come to: one incident for a target and a symptom, its turns, and its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.remediation.incidents import HOST, QUIET, Sighting, advance, broken_services, with_followers, worst

START = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def sighting(**changes) -> Sighting:
    one = Sighting(
        threshold="service_down",
        target="backend",
        symptom="service-down",
        playbook="service-down",
        severity="page",
        summary="backend does not do its work",
        labels={"service": "backend"},
        since=START,
        fires=True,
        broken=True,
    )
    return replace(one, **changes)


def opened(*seen: Sighting, at: datetime = START):
    (move,) = advance([], seen or [sighting()], at)
    return replace(move.entry, number=1)


def test_what_fires_opens_an_incident_that_is_broken_since_it_was_found_broken():
    incident = opened(at=START + MINUTE)
    assert (incident.target, incident.symptom, incident.playbook) == ("backend", "service-down", "service-down")
    assert (incident.opened_at, incident.broken_since, incident.whole_since) == (START + MINUTE, START, None)
    assert incident.service == "backend"


def test_a_service_that_wakes_nobody_is_known_not_to_do_its_work_all_the_same():
    minor = sighting(severity="ticket")
    why = {"backend": minor.summary}
    assert broken_services([], [minor], START, {"service_down"}) == why
    assert broken_services([opened(minor)], [], START, {"service_down"}) == why
    assert broken_services([opened(minor)], [minor], START, {"http_errors"}) == {}


def test_what_is_pending_opens_nothing():
    assert advance([], [sighting(fires=False)], START) == []


def test_what_only_fires_on_opens_nothing_so_that_what_a_person_resolved_stays_resolved():
    assert advance([], [sighting(broken=False)], START) == []


def test_two_alerts_of_one_target_and_symptom_are_one_incident():
    memory = {"symptom": "service-memory", "playbook": "service-memory"}
    (move,) = advance(
        [],
        [
            sighting(**memory, threshold="service_memory_high", severity="ticket"),
            sighting(**memory, threshold="service_out_of_memory", severity="page"),
        ],
        START,
    )
    assert [one["threshold"] for one in move.entry.alerts] == ["service_out_of_memory", "service_memory_high"]
    assert move.entry.severity == "page"


def test_a_further_alert_joins_and_makes_it_worse():
    incident = opened(sighting(threshold="a", severity="ticket"))
    (move,) = advance([incident], [sighting(threshold="a", severity="ticket"), sighting(threshold="b")], START)
    assert [event.kind for event in move.events] == ["attached"]
    assert move.entry.severity == "page"
    assert advance([move.entry], [sighting(threshold="a", severity="ticket"), sighting(threshold="b")], START) == []


def test_nothing_new_is_nothing_to_write():
    assert advance([opened()], [sighting()], START + MINUTE) == []


def test_what_fires_on_though_it_is_whole_is_whole():
    (move,) = advance([opened()], [sighting(broken=False)], START + MINUTE)
    assert (move.entry.broken_since, move.entry.whole_since) == (None, START + MINUTE)
    assert [event.kind for event in move.events] == ["whole"]


def test_it_ends_only_when_it_has_been_whole_for_a_while():
    (whole,) = advance([opened()], [], START + MINUTE)
    assert advance([whole.entry], [], START + MINUTE + QUIET - timedelta(seconds=1)) == []
    (move,) = advance([whole.entry], [], START + MINUTE + QUIET)
    assert (move.entry.closed_at, move.entry.outcome) == (START + MINUTE + QUIET, "by itself")
    assert move.entry.ended_at == START + MINUTE


def test_an_incident_that_an_action_helped_ended_by_a_repair():
    (whole,) = advance([opened()], [], START)
    (move,) = advance([whole.entry], [], START + QUIET, helped=[1])
    assert move.entry.outcome == "by a repair"


def test_what_is_whole_and_still_fires_does_not_end():
    (whole,) = advance([opened()], [sighting(broken=False)], START)
    assert advance([whole.entry], [sighting(broken=False)], START + 2 * QUIET) == []


def test_what_comes_back_is_the_same_incident_and_remembers_its_turns():
    incident = opened()
    for minute in range(1, 6):
        seen = [] if minute % 2 else [sighting(fires=False)]
        (move,) = advance([incident], seen, START + minute * MINUTE)
        incident = move.entry
    assert incident.closed_at is None
    assert incident.changes == [START + minute * MINUTE for minute in range(6)]


def test_after_a_jump_of_the_clock_back_nothing_waits_for_ever():
    (whole,) = advance([opened()], [], START + timedelta(days=365))
    (move,) = advance([whole.entry], [], START)
    assert move.entry.whole_since == START
    (closed,) = advance([move.entry], [], START + QUIET)
    assert closed.entry.closed_at == START + QUIET


def test_what_names_no_service_is_of_the_host():
    incident = opened(sighting(target=HOST, labels={"mountpoint": "/"}))
    assert (incident.target, incident.service) == (HOST, "")


def because_of_postgres(target: str, playbook: str) -> str | None:
    return "postgres" if target in {"backend", "frontend"} else None


DEAD = sighting(target="postgres", labels={"service": "postgres"}, summary="postgres does not do its work")
ABOVE = [sighting(), sighting(target="frontend", labels={"service": "frontend"}, severity="ticket")]


def test_the_same_cause_at_many_services_is_one_incident_of_the_cause():
    (move,) = advance([], [*ABOVE, DEAD], START, cause_of=because_of_postgres)
    assert move.entry.target == "postgres"
    assert move.entry.followers == ["backend", "frontend"]
    assert [one["labels"]["service"] for one in move.entry.own_alerts] == ["postgres"]
    assert [event.kind for event in move.events] == ["opened", "attached", "attached"]
    assert with_followers(move.entry) == "postgres does not do its work; because of it also backend, frontend"
    again = advance([replace(move.entry, number=1)], [*ABOVE, DEAD], START + MINUTE, cause_of=because_of_postgres)
    assert again == []


def test_what_fails_later_joins_the_incident_of_its_cause_and_makes_it_as_urgent():
    incident = opened(replace(DEAD, severity="ticket"))
    (move,) = advance([incident], [DEAD, ABOVE[0]], START + MINUTE, cause_of=because_of_postgres)
    assert (move.entry.number, move.entry.followers, move.entry.severity) == (1, ["backend"], "page")


def test_what_still_fails_once_its_cause_is_over_is_an_incident_of_its_own():
    (incident,) = advance([], [DEAD, ABOVE[0]], START, cause_of=because_of_postgres)
    whole, own = advance([replace(incident.entry, number=1)], [ABOVE[0]], START + MINUTE)
    # What stands on it keeps no incident broken whose own alerts are over.
    assert whole.entry.whole_since == START + MINUTE
    assert (own.entry.number, own.entry.target) == (0, "backend")


def test_what_fails_because_of_something_that_is_no_incident_yet_is_one_of_its_own():
    (move,) = advance([], [ABOVE[0], replace(DEAD, fires=False)], START, cause_of=because_of_postgres)
    assert move.entry.target == "backend"


def test_an_incident_that_lasts_goes_on_when_its_cause_is_found_later():
    moves = advance([opened(ABOVE[0])], [ABOVE[0], DEAD], START + MINUTE, cause_of=because_of_postgres)
    assert [(one.entry.number, one.entry.target, one.entry.followers) for one in moves] == [(0, "postgres", [])]


def test_of_two_incidents_of_the_cause_the_more_urgent_takes_what_follows():
    urgent = replace(opened(DEAD), number=2)
    slow = replace(opened(replace(DEAD, symptom="service-slow", severity="ticket")), number=1)
    seen = [DEAD, replace(DEAD, symptom="service-slow", severity="ticket"), ABOVE[0]]
    (move,) = advance([slow, urgent], seen, START + MINUTE, cause_of=because_of_postgres)
    assert move.entry.number == 2


def test_many_that_follow_are_counted_and_three_are_named():
    above = [sighting(target=f"agent-{n}", labels={"service": f"agent-{n}"}) for n in range(8)]
    cause = lambda target, _playbook: None if target == "postgres" else "postgres"  # noqa: E731
    (move,) = advance([], [DEAD, *above], START, cause_of=cause)
    assert with_followers(move.entry).endswith("because of it also agent-0, agent-1, agent-2 and 5 more")


def test_a_service_that_follows_does_not_count_as_broken_by_its_causes_incident():
    (move,) = advance([], [replace(DEAD, threshold="slow"), ABOVE[0]], START, cause_of=because_of_postgres)
    assert broken_services([move.entry], [], START, {"service_down"}) == {}


def test_page_is_worse_than_ticket():
    assert worst(["ticket", "page", "none"]) == "page"


seen = st.lists(
    st.builds(
        sighting,
        threshold=st.sampled_from(["a", "b"]),
        target=st.sampled_from(["x", "y"]),
        symptom=st.sampled_from(["s", "t"]),
        fires=st.booleans(),
        broken=st.booleans(),
    ),
    max_size=6,
)


@given(st.lists(st.tuples(st.integers(-600, 1200), seen), max_size=30))
def test_of_a_target_and_symptom_one_lasts_and_each_is_either_whole_or_broken(story):
    lasting, number, now = {}, 0, START
    for seconds, sightings in story:
        now += timedelta(seconds=seconds)
        for move in advance(lasting.values(), sightings, now):
            entry = move.entry
            assert move.events or entry.changes == list(lasting[entry.number].changes)
            if not entry.number:
                number += 1
                entry = replace(entry, number=number)
            lasting[entry.number] = entry
        lasting = {number: one for number, one in lasting.items() if one.closed_at is None}
        keys = [(one.target, one.symptom) for one in lasting.values()]
        assert len(keys) == len(set(keys))
        for one in lasting.values():
            assert (one.broken_since is None) != (one.whole_since is None)
            assert (one.broken_since or one.whole_since) <= now
        firing = {(one.target, one.symptom) for one in sightings if one.fires and one.broken}
        assert firing <= set(keys)
