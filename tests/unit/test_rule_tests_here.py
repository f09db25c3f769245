"""The tests that are generated for promtool, run over our own evaluator: the rules mean the same here and there."""

from __future__ import annotations

import re

import pytest
from promtool_notation import points, written_points
from promtool_tests import failures
from rulebooks import PACKAGED

from sutazai_ops.errors import BadInput
from sutazai_ops.monitoring.rule_tests import rule_tests_file

URL = "https://docs.example/runbooks"
GENERATED = rule_tests_file(PACKAGED, "rules.yaml", URL)


def test_the_generated_tests_pass() -> None:
    assert failures(GENERATED, PACKAGED, URL) == []


def test_a_test_that_expects_something_else_fails_by_its_name() -> None:
    expecting = GENERATED.replace("severity: page", "severity: ticket", 1)
    (failure,) = failures(expecting, PACKAGED, URL)
    name = re.findall(r"- name: (.*)", GENERATED.partition("severity: page")[0])[-1]
    assert failure.startswith(f"{name}:")


def test_every_test_fails_where_no_alert_is_expected_and_one_fires() -> None:
    none_expected = re.sub(r"exp_alerts:\n(?:    - .*\n(?:      .*\n)*)+", "exp_alerts: []\n", GENERATED)
    assert none_expected.count("exp_alerts:") == GENERATED.count("exp_alerts:")
    assert len(failures(none_expected, PACKAGED, URL)) == GENERATED.count("exp_alerts:\n")


def test_values_are_read_as_promtool_reads_them() -> None:
    assert points("0+10x3 _ stale 5 _x2 -1.5-0.5x1 7x2 1e3") == [
        0, 10, 20, 30, None, "stale", 5, None, None, -1.5, -2, 7, 7, 7, 1000,
    ]  # fmt: skip
    assert written_points(points("NaN Inf -Inf 0.1 _ stale")) == "NaN Inf -Inf 0.1 _ stale"
    with pytest.raises(BadInput, match="5\\+x3"):
        points("5+x3")
