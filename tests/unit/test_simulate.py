"""The guard over whole days: what it does about faults that are known to fool others, and what it never does."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from guard_traces import COMES_BACK, CRASH_LOOP, FLAP, TEN, down, trace
from hypothesis import given, settings
from hypothesis import strategies as st

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.thresholds import read_rulebook
from sutazai_ops.remediation.playbooks import read_playbooks
from sutazai_ops.remediation.simulate import simulate
from sutazai_ops.remediation.situation import Limits
from sutazai_ops.remediation.trace import Trace, read_trace
from sutazai_ops.remediation.verdict import Kind, Reason
from sutazai_ops.settings import MonitoringSettings

RULEBOOK = read_rulebook(MonitoringSettings())
PLAYBOOKS = read_playbooks(RULEBOOK, TEN)
MINUTE, HOUR, DAY = 60, 3600, 86_400
BREAKS_AT = 5 * MINUTE


def run(traced: Trace):
    return simulate(traced, RULEBOOK, PLAYBOOKS, Limits())


def rungs(outcome) -> list[str]:
    return [one.repair.rung for one in outcome.repairs]


def test_a_crash_loop_costs_at_most_six_actions_a_day_and_is_in_somebodys_hands_within_45_minutes():
    outcome = run(CRASH_LOOP)
    assert 1 <= len(outcome.repairs) <= 6
    assert len(set(rungs(outcome))) == len(rungs(outcome))
    assert outcome.escalations[0].elapsed - BREAKS_AT <= 45 * MINUTE


def test_a_harmless_flap_costs_nothing_and_is_told_once():
    outcome = run(FLAP)
    assert outcome.repairs == []
    assert [one.verdict.reason for one in outcome.escalations] == [Reason.FLAPPING]
    assert len(outcome.incidents) == 1


def test_what_comes_back_after_every_repair_is_repaired_six_times_a_day_at_most_and_then_told():
    outcome = run(COMES_BACK)
    assert 3 <= len(outcome.repairs) <= 6
    assert {one.repair.outcome for one in outcome.repairs} == {"helped"}
    assert outcome.escalations


def test_what_a_restart_mends_is_restarted_once_and_nobody_is_woken():
    outcome = run(trace(down("backend", mended_by={"restart": "for good"}), lasts="2h"))
    assert rungs(outcome) == ["restart"]
    assert [one.outcome for one in outcome.incidents] == ["by a repair"]
    assert outcome.escalations == []


def test_what_mends_itself_before_it_has_persisted_is_left_alone():
    outcome = run(trace(down("backend", until="80s"), lasts="1h"))
    assert outcome.repairs == []
    assert [one.outcome for one in outcome.incidents] == ["by itself"]


def test_the_same_cause_at_ten_services_is_one_action():
    services = {**TEN, "postgres": {**TEN["postgres"], "may_disrupt": True}}
    mended = [down(name, until="200s") for name in TEN if name not in {"postgres", "redis"}]
    outcome = run(trace(down("postgres", mended_by={"restart": "for good"}), *mended, services=services, lasts="2h"))
    assert [(one.repair.target, one.repair.rung) for one in outcome.repairs] == [("postgres", "restart")]
    assert outcome.escalations == []


@pytest.mark.parametrize(("threshold", "tells_until"), [("http_errors", "6m"), ("service_restarting", "16m")])
def test_what_a_database_did_to_others_is_not_mended_at_those_while_their_signals_still_tell_of_it(
    threshold, tells_until
):
    """Two minutes after the database was whole a healthy backend was restarted for the errors of before."""
    services = {**TEN, "postgres": {**TEN["postgres"], "may_disrupt": True}}
    told = {"threshold": threshold, "service": "backend", "from": "30s", "until": tells_until}
    outcome = run(trace(down("postgres", mended_by={"restart": "for good"}), told, services=services, lasts="2h"))
    assert [(one.repair.target, one.repair.rung) for one in outcome.repairs] == [("postgres", "restart")]
    assert outcome.escalations == []


def test_what_still_fails_when_its_signals_cannot_tell_of_the_database_any_more_is_mended():
    services = {**TEN, "postgres": {**TEN["postgres"], "may_disrupt": True}}
    told = {"threshold": "http_errors", "service": "backend", "from": "30s", "mended_by": {"restart": "for good"}}
    outcome = run(trace(down("postgres", mended_by={"restart": "for good"}), told, services=services, lasts="2h"))
    assert ("backend", "restart") in [(one.repair.target, one.repair.rung) for one in outcome.repairs]


def test_a_database_that_is_down_without_a_backup_is_given_to_a_person_at_once():
    outcome = run(trace(down("redis"), lasts="1h"))
    assert outcome.repairs == []
    assert [one.verdict.reason for one in outcome.escalations] == [Reason.NO_BACKUP]
    assert outcome.escalations[0].elapsed <= 2 * MINUTE


def test_a_proposal_that_nobody_answers_is_escalated():
    outcome = run(trace(down("backend"), lasts="1h", mode="propose"))
    assert outcome.repairs == []
    reasons = [one.verdict.reason for one in outcome.decisions]
    assert reasons[-3:] == [Reason.APPROVAL, Reason.UNMENDED, Reason.WITH_A_PERSON]


def test_an_observer_says_what_it_would_do():
    outcome = run(trace(down("backend"), lasts="10m", mode="observe"))
    assert outcome.repairs == []
    assert (outcome.decisions[-1].verdict.reason, outcome.decisions[-1].verdict.rung) == (Reason.OBSERVING, "restart")


def test_while_it_is_blind_no_incident_ends():
    outcome = run(trace(down("backend", until="3m"), lasts="1h", blind=[{"from": "2m"}], mode="observe"))
    assert [one.closed_at for one in outcome.incidents] == [None]


def test_the_same_trace_gives_the_same_every_time():
    assert run(CRASH_LOOP) == run(CRASH_LOOP)


# Over random traces.

# A few services, so that much happens to each of them.
services_broken = st.sampled_from(["backend", "backend", "postgres", "redis", "edge", "agent-0"])
thresholds_broken = st.sampled_from(["service_down", "service_restarting", "http_errors", "service_memory_high"])


def at(number: int) -> str:
    return f"{number}s"


set_back = st.fixed_dictionaries({"at": st.integers(0, 8 * HOUR).map(at), "back": st.integers(1, DAY).map(at)})


@st.composite
def faults(draw):
    start = draw(st.integers(0, 6 * HOUR))
    fault = {"threshold": draw(thresholds_broken)}
    fault |= {"service": draw(services_broken), "from": at(start)}
    if draw(st.booleans()):
        fault["until"] = at(start + draw(st.integers(10, 3 * HOUR)))
    if draw(st.booleans()):
        every = draw(st.integers(60, 40 * MINUTE))
        fault |= {"every": at(every), "lasting": at(draw(st.integers(10, every)))}
    mended = draw(st.dictionaries(st.sampled_from(["restart", "recreate", "roll-back"]), st.integers(10, 2 * HOUR)))
    return fault | {"mended_by": {action: at(number) for action, number in mended.items()}}


@st.composite
def traces(draw):
    services = {
        name: {
            **one,
            "may_disrupt": draw(st.booleans()),
            "released_lately": draw(st.booleans()),
            **draw(st.sampled_from([{}, {"backup_age": "1h"}, {"backup_age": "24h"}])),
        }
        for name, one in TEN.items()
    }
    start = draw(st.integers(0, 6 * HOUR))
    closed = {"from": at(start), "until": at(start + draw(st.integers(60, 2 * HOUR)))}
    if draw(st.booleans()):
        closed["services"] = draw(st.lists(services_broken, min_size=1, max_size=4))
    return trace(
        *draw(st.lists(faults(), min_size=1, max_size=8)),
        lasts="8h",
        every="30s",
        services=services,
        closed=[closed] if draw(st.booleans()) else [],
        clock=draw(st.lists(set_back, max_size=2)),
    )


def within(done, span):
    """For each repair, those that began in the time of that length that ends with it."""
    return [[two for two in done if one.elapsed - span < two.elapsed <= one.elapsed] for one in done]


def beneath(traced, service, known=()):
    for one in traced.services[service].needs:
        if one not in known:
            yield one
            yield from beneath(traced, one, (*known, one))


@settings(max_examples=40)
@given(traces())
def test_whatever_breaks_no_cap_is_exceeded_and_nothing_is_done_that_should_not_be(traced):
    outcome = run(traced)
    done = outcome.repairs
    for target in {one.repair.target for one in done}:
        its = [one for one in done if one.repair.target == target]
        assert all(len(group) <= 3 for group in within(its, HOUR))
        assert all(len(group) <= 6 for group in within(its, DAY))
    for group in within(done, HOUR):
        assert len(group) <= 5
        assert len({one.repair.target for one in group}) <= 2
        assert len({one.repair.target for one in group if one.repair.holds_state and one.repair.disrupts}) <= 1
    for earlier, later in pairwise(done):
        assert earlier.until <= later.elapsed
    tried = [(one.repair.incident, one.repair.rung) for one in done]
    assert len(tried) == len(set(tried))
    for one in done:
        target = one.repair.target
        assert not one.broken.intersection(beneath(traced, target))
        for closed in traced.closed:
            covers = closed.services is None or target in closed.services
            assert not (covers and closed.start <= one.elapsed < closed.until)
        if one.repair.holds_state and one.repair.disrupts:
            service = traced.services[target]
            assert service.may_disrupt
            assert service.backup_age is not None
            assert service.backup_age + one.elapsed <= 26 * HOUR
    for decision in outcome.decisions:
        assert isinstance(decision.verdict.reason, Reason)
        assert (decision.verdict.kind is Kind.ACT) == (decision.verdict.reason is Reason.DUE)


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("lasts: 1h\nservices: {}\nbroken:\n  - threshold: servce_down\n", ":4", "no threshold 'servce_down'"),
        ("lasts: 1h\nservices: {}\nbroken:\n  - {threshold: service_down, service: b}\n", ":4", "no service 'b'"),
        ("lasts: 60\nservices: {}\n", ":1", "lasts"),
        ("lasts: 1h\nservices: {a: {need: [b]}}\n", ":2", "need"),
        ("lasts: 1h\nservices: {}\nbroken: [{threshold: x, mended_by: {reboot: 1h}}]\n", ":3", "mended_by"),
        ("lasts: 1h\nservices: {a: }\n", ":2", "services.a of the trace holds no keys"),
        ("lasts: 1h\nservices: {a: {needs: [b]}}\n", ":2", "no service 'b'"),
        ("lasts: 1h\nservices:\n  a: {needs: [b]}\n  b: {needs: [a]}\n", ":", "in a circle"),
        ("lasts: 1h\nservices: {}\nclosed: [{services: [b]}]\n", ":3", "no service 'b'"),
        ("lasts: 1h\nservices: {}\nclosed: [{from: 5m, until: 1m}]\n", ":3", "ends before it begins"),
        ("lasts: 1h\nservices: {}\nblind: [{from: 5m, until: 1m}]\n", ":3", "ends before it begins"),
        ("lasts: 1h\nservices: {}\nbroken: [{threshold: service_down}]\n", ":3", "is about a service"),
        ("lasts: 1h\nservices: {a: {}}\nbroken: [{threshold: host_cpu_high, service: a}]\n", ":3", "about no service"),
        ("lasts: 1h\nservices: {}\nbroken: [{threshold: host_cpu_high, every: 5m}]\n", ":3", "go together"),
        ("lasts: 1h\nservices: {}\nbroken: [{threshold: host_cpu_high, lasting: 5m}]\n", ":3", "go together"),
    ],
)
def test_what_is_wrong_in_a_trace_is_told_with_its_line(tmp_path, text, where, said):
    file = tmp_path / "trace.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_trace(file, RULEBOOK)
    assert caught.value.where.startswith(f"{file}{where}")
    assert said in caught.value.what


@pytest.mark.parametrize(
    "text",
    [
        "lasts: 1h\nevery: 0s\nservices: {}\n",
        "lasts: 1h\nservices: {}\nbroken: [{threshold: host_cpu_high, every: 0, lasting: 1m}]\n",
        "lasts: 1h\nservices: {a: {backup_age: 1h, backed_up_every: 0s}}\n",
        "lasts: 1h\nservices: {}\nclock: [{at: 5m, back: 999999y}]\n",
        "lasts: 1h\nservices: {}\nclock: [{at: 5m, back: 60y}, {at: 6m, back: 60y}]\n",
        "lasts: 99999999y\nservices: {}\n",
        "lasts: 1h\nservices: {a: {grace: 99999999y}}\n",
    ],
)
def test_a_trace_that_would_never_end_or_leave_the_calendar_is_refused(tmp_path, text):
    """`every: 0s` looked for ever, and a flap of no time or a clock set back by ages was called a defect."""
    file = tmp_path / "trace.yaml"
    file.write_text(text)
    with pytest.raises(BadInput):
        read_trace(file, RULEBOOK)


def test_the_trace_of_the_page_can_be_read_and_run(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "remediation" / "simulate.md").read_text(encoding="utf-8")
    file = tmp_path / "trace.yaml"
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    assert run(read_trace(file, RULEBOOK)).repairs
