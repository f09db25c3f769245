"""What an action came to, from what was seen before and after it."""

from __future__ import annotations

import math

import pytest

from sutazai_ops.monitoring.prometheus import Value
from sutazai_ops.monitoring.thresholds import Condition
from sutazai_ops.remediation.repair import is_verified, outcome_of
from sutazai_ops.remediation.seeing import Seen

RUNS, STOPPED, BLIND = Seen(running=frozenset({"backend"})), Seen(), Seen(blind="x")


@pytest.mark.parametrize(
    ("seen", "ran", "whole", "outcome"),
    [
        (RUNS, True, True, "helped"),
        (RUNS, True, False, "did not help"),
        (STOPPED, True, False, "made it worse"),
        (STOPPED, False, False, "did not help"),
        (BLIND, True, False, "did not help"),
    ],
)
def test_what_ran_before_and_does_not_run_now_was_made_worse(seen, ran, whole, outcome):
    assert outcome_of("backend", seen, ran=ran, whole=whole) == outcome


@pytest.mark.parametrize(
    ("values", "is_so"),
    [
        ([Value({"service": "backend"}, 0.1)], True),
        ([Value({"service": "backend"}, 0.3)], False),
        ([Value({"service": "backend"}, 0.1), Value({"service": "backend", "path": "/"}, 0.3)], False),
        ([Value({"service": "edge"}, 0.1)], False),
        ([Value({"instance": "a"}, 0.1)], True),
        ([Value({"service": "backend"}, math.nan)], False),
        ([], False),
    ],
)
def test_what_is_not_known_is_not_verified(values, is_so):
    assert is_verified(values, Condition(signal="http_p95", below=0.2), "backend") is is_so
