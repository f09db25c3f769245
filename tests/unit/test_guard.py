"""The guard: every rule decides where it should, and what it alone holds back is done without it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from guard_situations import DUE, HOUR, INCIDENT, MINUTE, NOW, PLAYBOOK, given_that, repair

from sutazai_ops.remediation import guard
from sutazai_ops.remediation.guard import RULES, decide
from sutazai_ops.remediation.playbook import NO_PLAYBOOK, Check
from sutazai_ops.remediation.situation import NOTHING, Closure, Topology
from sutazai_ops.remediation.verdict import Kind, Mode, Reason

SECOND = timedelta(seconds=1)
POSTGRES = {"target": "postgres"}
FRESH = {"backup_age": {"postgres": HOUR, "redis": HOUR}, "may_disrupt": frozenset({"postgres", "redis"})}

# One case for each rule, in which no other rule has anything to say: without the rule the repair would be done.
CASES = {
    "off": (given_that(world={"mode": Mode.OFF}), Kind.SKIP, Reason.OFF),
    "known": (given_that(playbook=NO_PLAYBOOK), Kind.SKIP, Reason.NO_PLAYBOOK),
    "with_a_person": (
        given_that(incident={"acknowledged_at": NOW - MINUTE, "acknowledged_by": "ann"}),
        Kind.SKIP,
        Reason.WITH_A_PERSON,
    ),
    "blind": (given_that(world={"blind": "Prometheus does not answer"}), Kind.SKIP, Reason.BLIND),
    "covered": (
        given_that(world={"closures": [Closure("maintenance", "new disk", NOW - HOUR, NOW + HOUR)]}),
        Kind.SKIP,
        Reason.COVERED,
    ),
    "dependency": (given_that(world={"broken": {"postgres": "down"}}), Kind.SKIP, Reason.DEPENDENCY),
    "flapping": (
        given_that(incident={"changes": [NOW - n * 5 * MINUTE for n in range(4)]}),
        Kind.ESCALATE,
        Reason.FLAPPING,
    ),
    "recovering": (
        given_that(
            incident={"broken_since": None, "whole_since": NOW - MINUTE},
            playbook=PLAYBOOK.model_copy(update={"persists": 0}),
        ),
        Kind.WAIT,
        Reason.RECOVERING,
    ),
    "persistence": (given_that(incident={"broken_since": NOW - 89 * SECOND}), Kind.WAIT, Reason.PERSISTENCE),
    "unmended": (given_that(incident={"opened_at": NOW - 30 * MINUTE}), Kind.ESCALATE, Reason.UNMENDED),
    "starting": (given_that(world={"started_at": {"backend": NOW - 29 * SECOND}}), Kind.WAIT, Reason.STARTING),
    "breaker": (
        given_that(world={"repairs": [repair(outcome="made it worse")]}),
        Kind.ESCALATE,
        Reason.BREAKER,
    ),
    "ladder": (given_that(playbook=PLAYBOOK.model_copy(update={"ladder": ()})), Kind.ESCALATE, Reason.LADDER_ENDED),
    "cool_down": (given_that(world={"repairs": [repair(started_at=NOW - 4 * MINUTE)]}), Kind.WAIT, Reason.COOL_DOWN),
    "an_hour": (
        given_that(world={"repairs": [repair(started_at=NOW - n * MINUTE) for n in (59, 40, 21)]}),
        Kind.ESCALATE,
        Reason.HOUR,
    ),
    "a_day": (
        given_that(world={"repairs": [repair(started_at=NOW - n * HOUR) for n in (23, 20, 15, 9, 6, 3)]}),
        Kind.ESCALATE,
        Reason.DAY,
    ),
    "busy": (given_that(world={"repairs": [repair(target="redis", ended_at=None)]}), Kind.WAIT, Reason.BUSY),
    "platform_an_hour": (
        given_that(world={"repairs": [repair(target="edge", started_at=NOW - n * 10 * MINUTE) for n in range(1, 6)]}),
        Kind.ESCALATE,
        Reason.PLATFORM_HOUR,
    ),
    "share": (
        given_that(world={"repairs": [repair(target=name) for name in ("edge", "agent-1")]}),
        Kind.ESCALATE,
        Reason.SHARE,
    ),
    "one_stateful": (
        given_that(incident=POSTGRES, world={"repairs": [repair(target="redis", holds_state=True)], **FRESH}),
        Kind.WAIT,
        Reason.ONE_STATEFUL,
    ),
    "backup": (
        given_that(incident=POSTGRES, world={**FRESH, "backup_age": {"postgres": 27 * HOUR}}),
        Kind.ESCALATE,
        Reason.NO_BACKUP,
    ),
    "approval": (given_that(world={"mode": Mode.PROPOSE}), Kind.WAIT, Reason.APPROVAL),
    "budget": (given_that(loss=0.01), Kind.SKIP, Reason.BUDGET),
    "observing": (given_that(world={"mode": Mode.OBSERVE}), Kind.SKIP, Reason.OBSERVING),
}


def test_the_ordinary_case_is_acted_on_with_the_first_rung():
    verdict = decide(DUE)
    assert (verdict.kind, verdict.reason, verdict.rung, verdict.facts["attempt"]) == (
        Kind.ACT, Reason.DUE, "restart", 1,
    )  # fmt: skip


def test_every_rule_has_a_case():
    assert set(CASES) == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("name", CASES)
def test_each_rule_alone_holds_its_case_back(name):
    situation, kind, reason = CASES[name]
    verdict = decide(situation)
    assert (verdict.kind, verdict.reason) == (kind, reason)
    without = [rule for rule in RULES if rule.__name__ != name]
    assert len(without) == len(RULES) - 1
    # Without a playbook there is nothing to do: without that rule a person would be woken by what nobody can mend here.
    instead = Kind.ESCALATE if name == "known" else Kind.ACT
    assert decide(situation, without).kind is instead


@pytest.mark.parametrize("name", CASES)
def test_every_wait_says_until_when_or_for_what(name):
    verdict = decide(CASES[name][0])
    if verdict.kind is Kind.WAIT:
        assert verdict.until is not None or verdict.reason in {Reason.APPROVAL, Reason.BUSY}
        assert verdict.until is None or verdict.until > NOW


# What each rule says, and does not say, at its edges.


def test_it_is_due_the_moment_that_it_was_broken_for_long_enough():
    assert decide(given_that(incident={"broken_since": NOW - 90 * SECOND})).kind is Kind.ACT


def test_a_repair_that_did_not_help_is_not_repeated():
    tried = [repair(incident=7, outcome="did not help")]
    assert decide(given_that(world={"repairs": tried})).rung == "recreate"
    tried = [
        repair(incident=7, rung=rung, started_at=NOW - minutes * MINUTE)
        for rung, minutes in (("restart", 300), ("recreate", 200), ("roll-back", 100))
    ]
    verdict = decide(given_that(world={"repairs": tried}))
    assert (verdict.reason, verdict.facts["tried"]) == (Reason.LADDER_ENDED, ["restart", "recreate", "roll-back"])


def test_a_rung_whose_condition_does_not_hold_is_passed_over():
    first, *others = PLAYBOOK.ladder
    ladder = (first.model_copy(update={"when": (Check.RUNS,)}), *others)
    situation = given_that(playbook=PLAYBOOK.model_copy(update={"ladder": ladder}))
    assert decide(situation).rung == "restart"
    assert decide(replace(situation, failed_checks=frozenset({Check.RUNS}))).rung == "recreate"


def test_the_cause_is_the_deepest_of_what_is_broken_beneath():
    edge = given_that(incident={"target": "edge"}, world={"broken": {"backend": "down", "postgres": "down"}})
    assert decide(edge).facts["dependency"] == "postgres"


def test_what_stands_on_another_broken_one_is_not_the_cause_however_far_away_it_is():
    both = Topology({"pages": ["database", "api"], "api": ["database"]})
    assert both.cause("pages", {"api", "database"}) == "database"
    assert both.cause("api", {"api"}) is None
    assert both.cause("database", {"api"}) is None


def test_what_is_broken_above_it_is_no_reason_to_leave_it():
    assert decide(given_that(world={"broken": {"edge": "down"}})).kind is Kind.ACT


def test_a_circle_of_dependencies_ends():
    circle = replace(DUE.world.topology, depends_on={"backend": ["edge"], "edge": ["backend"]})
    assert decide(given_that(world={"topology": circle})).kind is Kind.ACT
    assert decide(given_that(world={"topology": circle, "broken": {"backend": "itself"}})).kind is Kind.ACT


def test_a_closure_of_another_target_or_another_time_is_none():
    others = [
        Closure("silence", "x", NOW - HOUR, NOW + HOUR, frozenset({"edge"})),
        Closure("silence", "x", NOW - HOUR, NOW),
        Closure("silence", "x", NOW + SECOND, None),
        Closure("silence", "x", NOW - HOUR, NOW + HOUR, frozenset({"backend"}), "service-slow"),
    ]
    assert decide(given_that(world={"closures": others})).kind is Kind.ACT
    own = Closure("deployment", "release 41", NOW, None, frozenset({"backend"}), INCIDENT.symptom)
    assert decide(given_that(world={"closures": [own]})).facts == {"by": "deployment", "because": "release 41"}


def test_turns_before_the_last_repair_are_not_flapping():
    changes = [NOW - n * MINUTE for n in (29, 28, 27, 3)]
    assert decide(given_that(incident={"changes": changes})).reason is Reason.FLAPPING
    repaired = [repair(started_at=NOW - 26 * MINUTE)]
    assert decide(given_that(incident={"changes": changes}, world={"repairs": repaired})).kind is Kind.ACT


def test_what_found_nothing_to_do_keeps_nothing_else_from_being_done_and_is_not_tried_again():
    found_nothing = [
        repair(id=n, incident=n, rung="end-queries", started_at=NOW - n * MINUTE, ended_at=NOW, outcome=NOTHING)
        for n in range(1, 7)
    ]
    assert decide(given_that(world={"repairs": found_nothing})).kind is Kind.ACT
    mine = repair(incident=INCIDENT.number, rung="restart", started_at=NOW, ended_at=NOW, outcome=NOTHING)
    assert decide(given_that(world={"repairs": [mine]})).rung == "recreate"


def test_nobody_is_woken_while_the_last_that_may_help_is_under_way():
    tried = [
        repair(id=n, incident=INCIDENT.number, rung=one.name, started_at=NOW) for n, one in enumerate(PLAYBOOK.ladder)
    ]
    under_way = [*tried[:-1], replace(tried[-1], ended_at=None, outcome="")]
    assert decide(given_that(world={"repairs": under_way})).kind is Kind.WAIT
    assert decide(given_that(world={"repairs": tried})).reason is Reason.LADDER_ENDED


def test_what_mends_the_monitoring_works_while_it_is_blind():
    mending = PLAYBOOK.model_copy(update={"works_blind": True})
    assert decide(given_that(playbook=mending, world={"blind": "x"})).kind is Kind.ACT


def test_an_escalated_incident_is_left_to_its_person_until_that_person_agrees_to_a_rung():
    escalated = {"escalated_at": NOW - HOUR, "opened_at": NOW - 2 * HOUR}
    assert decide(given_that(incident=escalated)).reason is Reason.WITH_A_PERSON
    assert decide(given_that(incident=escalated, approved=frozenset({"restart"}))).kind is Kind.ACT


def test_each_further_repair_doubles_the_time_to_the_next_up_to_an_hour():
    needed = []
    for count in range(1, 7):
        repairs = [repair(started_at=NOW - (23 - n) * HOUR) for n in range(count - 1)] + [repair(started_at=NOW)]
        needed.append(decide(given_that(world={"repairs": repairs})).facts["needed_seconds"] / 60)
    assert needed == [5, 10, 20, 40, 60, 60]


def test_a_breaker_closes_after_its_time_for_one_try():
    worse = [repair(outcome="made it worse", started_at=NOW - 61 * MINUTE)]
    assert decide(given_that(world={"repairs": worse})).kind is Kind.ACT


def test_of_a_small_platform_one_service_may_always_be_repaired():
    small = replace(DUE.world.topology, depends_on={"backend": []})
    assert decide(given_that(world={"topology": small})).kind is Kind.ACT


@pytest.mark.parametrize("mode", [Mode.PROPOSE, Mode.ACT])
@pytest.mark.parametrize("age", [{}, {"postgres": 27 * HOUR}, {"postgres": -HOUR}])
def test_what_holds_state_is_never_disrupted_without_a_fresh_verified_backup_whoever_agrees(mode, age):
    situation = given_that(
        incident=POSTGRES, world={**FRESH, "mode": mode, "backup_age": age}, approved=frozenset({"restart"})
    )
    assert decide(situation).reason is Reason.NO_BACKUP


def test_what_holds_state_is_proposed_unless_it_was_opted_in():
    world = {"backup_age": {"postgres": HOUR}}
    asked = decide(given_that(incident=POSTGRES, world=world))
    assert (asked.reason, asked.rung, asked.facts["because"]) == (Reason.APPROVAL, "restart", ["it holds state"])
    assert decide(given_that(incident=POSTGRES, world={**world, "may_disrupt": frozenset({"postgres"})})).rung
    assert decide(given_that(incident=POSTGRES, world=world, approved=frozenset({"restart"}))).kind is Kind.ACT


def test_what_disrupts_nothing_needs_no_backup():
    from sutazai_ops.remediation.playbook import Action, Rung

    soft = PLAYBOOK.model_copy(update={"ladder": (Rung(act=Action.END_QUERIES),)})
    assert decide(given_that(incident=POSTGRES, playbook=soft)).rung == "end-queries"


def test_a_person_who_agreed_has_weighed_the_cost():
    assert decide(given_that(loss=0.0, approved=frozenset({"restart"}))).kind is Kind.ACT


def test_what_started_before_the_clock_was_set_back_is_mended_and_not_only_once_that_hour_has_come_again():
    ahead = {"started_at": {"backend": NOW + 2 * HOUR}}
    assert decide(given_that(world=ahead)).kind is Kind.ACT
    # A clock of the engine that is a little ahead says nothing of the sort.
    assert decide(given_that(world={"started_at": {"backend": NOW + SECOND}})).reason is Reason.STARTING


@pytest.mark.parametrize("back", [MINUTE, HOUR, 400 * 24 * HOUR])
def test_a_clock_that_was_set_back_forgets_no_cap(back):
    ahead = [repair(target=target, started_at=NOW + back) for target in ["backend"] * 3]
    verdict = decide(given_that(world={"repairs": ahead}))
    assert verdict.reason is Reason.COOL_DOWN
    others = [repair(target="edge", started_at=NOW + back) for _ in range(5)]
    assert decide(given_that(world={"repairs": others})).reason is Reason.PLATFORM_HOUR
    without_waiting = [rule for rule in RULES if rule is not guard.cool_down]
    assert decide(given_that(world={"repairs": ahead}), without_waiting).reason is Reason.HOUR


def test_the_guard_imports_neither_dagster_nor_docker_nor_a_database():
    code = (
        "import sys, sutazai_ops.remediation.guard\n"
        "bad = {'dagster', 'docker', 'sqlalchemy', 'requests'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(bad)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_incident_of_the_cases_is_of_this_incident_alone():
    # The history of the cases is of incident 6, so that no case is decided by the ladder unawares.
    assert repair().incident != INCIDENT.number


def test_the_page_names_every_reason_once_in_the_order_in_which_they_are_asked():
    page = Path(__file__).parents[2] / "docs" / "remediation" / "how-it-decides.md"
    rows = [line.split(" | ")[1].strip() for line in page.read_text(encoding="utf-8").splitlines() if "| " in line]
    named = [row for row in rows if row in set(Reason)]
    assert named == [str(reason) for reason in Reason]
    assert [CASES[rule.__name__][2] for rule in RULES] == list(Reason)[:-1]
