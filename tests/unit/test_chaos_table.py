"""The table of what became of what was broken: what each figure stands on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))
from chaos_table import MONTH_BUDGET_SECONDS, Came, markdown


def came(**changes) -> Came:
    known = {
        "fault": "kill", "healer": "remediation", "observed": 60.0, "detected": 10.0, "verdict": "act restart",
        "actions": ["restart backend"], "whole": True, "given_to_a_person": None, "asked": 120, "failed": 60, "lost": 0,
    }  # fmt: skip
    return Came(**{**known, **changes})


def test_the_budget_is_spent_by_the_share_that_failed_for_as_long_as_it_was_watched():
    assert came().budget_spent == pytest.approx(30 / MONTH_BUDGET_SECONDS)
    assert came(asked=0, failed=0).budget_spent == 0


def test_what_is_over_or_a_persons_costs_what_it_cost_and_all_else_goes_on_for_a_day():
    assert came().actions_a_day == 1
    assert came(whole=False, given_to_a_person=30.0).actions_a_day == 1
    assert came(whole=False).actions_a_day == 1440
    assert "| 1,440 at this pace |" in markdown([came(whole=False)], "")
    assert "| 1 |" in markdown([came()], "")


def test_what_found_nothing_to_do_is_no_action_of_a_day():
    assert came(actions=["restart a (helped)", "dead-letter b (nothing to do)"]).actions_a_day == 1


def test_what_was_done_several_times_is_counted_and_what_was_not_mended_is_said():
    table = markdown([came(actions=["restart a", "restart b", "restart a"], whole=False, lost=2)], "Quick.")
    row = next(line for line in table.splitlines() if line.startswith("| kill"))
    assert "2x restart a, restart b" in row
    assert "not within 1 min" in row
    assert "2 tasks" in row


def test_a_fault_that_nobody_detected_has_no_time_of_it():
    row = markdown([came(detected=None, actions=[])], "").splitlines()[6]
    assert "| kill | remediation |  | act restart | none |" in row


def test_what_the_harness_could_not_measure_is_a_row_that_says_so():
    row = markdown([Came("kill", "remediation", unmeasured="NotFound: no such container | 404")], "").splitlines()[6]
    assert row.startswith("| kill | remediation |  | not measured: NotFound: no such container / 404 |")
    assert row.count("|") == markdown([came()], "").splitlines()[6].count("|")
