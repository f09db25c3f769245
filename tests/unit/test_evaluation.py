"""Thresholds over samples: they fire, stay and end as Prometheus' alerting rules do."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from rulebooks import PACKAGED, rulebook, signal, threshold

from sutazai_ops.monitoring.evaluation import (
    RESOLVED_SECONDS,
    Alert,
    Measured,
    State,
    advance,
    annotations_of,
    labels_of,
    measure,
)
from sutazai_ops.monitoring.promql import Sample, Samples, Value
from sutazai_ops.monitoring.thresholds import Rulebook

STEP = 15
UNKNOWN = threshold("signal_unknown", signal="unknown", above=0, summary="{signal}")


def book(seconds: int = 60, keep: int = 0) -> Rulebook:
    return rulebook([signal()], [threshold(**{"for": f"{seconds}s", "keep_firing_for": f"{keep}s"})])


def history(rules: Rulebook, values: Sequence[float | None], step: float = STEP) -> list[State | None]:
    """The state after each value, `step` seconds apart; None for a moment without a value, and for no alert."""
    alerts: list[Alert] = []
    found = []
    for i, value in enumerate(values):
        there = [] if value is None else [Value({}, value)]
        alerts = advance(rules, Measured({"load": there}), alerts, i * step)
        found.append(alerts[0].state if alerts else None)
    return found


def test_it_is_pending_until_its_for_is_over_and_then_fires() -> None:
    assert history(book(30), [11, 11, 11]) == [State.PENDING, State.PENDING, State.FIRING]


def test_without_for_it_fires_at_once() -> None:
    assert history(book(0), [11]) == [State.FIRING]


def test_the_level_itself_is_not_broken() -> None:
    assert history(book(0), [10, 10.001]) == [None, State.FIRING]


def test_one_good_value_begins_the_waiting_anew() -> None:
    assert history(book(30), [11, 11, 9, 11, 11]) == [State.PENDING, State.PENDING, None, State.PENDING, State.PENDING]


def test_no_value_and_nan_are_not_broken() -> None:
    assert history(book(0), [None, math.nan]) == [None, None]


def test_it_fires_on_for_keep_firing_for_and_is_then_resolved() -> None:
    states = history(book(0, keep=30), [11, 9, 9, 9])
    assert states == [State.FIRING, State.FIRING, State.FIRING, State.RESOLVED]


def test_one_that_breaks_again_while_it_fires_on_has_never_ended() -> None:
    rules = book(30, keep=30)
    alerts: list[Alert] = []
    for i, value in enumerate([11, 11, 11, 9, 11, 9, 9]):
        alerts = advance(rules, Measured({"load": [Value({}, value)]}), alerts, i * STEP)
    assert [(alert.state, alert.active_since, alert.fired_at) for alert in alerts] == [(State.FIRING, 0, 30)]


def test_one_that_breaks_after_it_was_resolved_waits_again() -> None:
    assert history(book(15), [11, 11, 9, 11, 11]) == [
        State.PENDING, State.FIRING, State.RESOLVED, State.PENDING, State.FIRING,
    ]  # fmt: skip


def test_what_is_resolved_is_kept_for_a_quarter_of_an_hour() -> None:
    quiet = [9.0] * (RESOLVED_SECONDS // 60 + 2)
    states = history(book(0), [11, *quiet], step=60)
    assert states.count(State.RESOLVED) == RESOLVED_SECONDS // 60 + 1
    assert states[-1] is None


def test_each_label_set_has_a_life_of_its_own() -> None:
    rules = book(15)
    first = advance(rules, Measured({"load": [Value({"service": "a"}, 11)]}), [], 0)
    both = [Value({"service": "a"}, 11), Value({"service": "b"}, 12)]
    then = advance(rules, Measured({"load": both}), first, STEP)
    assert {alert.labels["service"]: alert.state for alert in then} == {"a": State.FIRING, "b": State.PENDING}


def test_below_is_broken_below() -> None:
    rules = rulebook([signal()], [threshold(below=1)])
    assert history(rules, [1, 0.5]) == [None, State.FIRING]


def test_it_fires_only_where_what_stands_under_while_is_true_too() -> None:
    signals = [signal(labels=["service", "path"]), signal("traffic", "traffic", labels=["service"])]
    rules = rulebook(signals, [threshold(**{"while": {"signal": "traffic", "above": 5}})])
    busy = {"load": [Value({"service": name, "path": "/"}, 11) for name in "ab"]}
    traffic = [Value({"service": "a"}, 6), Value({"service": "b"}, 5)]
    assert [one.labels["service"] for one in advance(rules, Measured({**busy, "traffic": traffic}), [], 0)] == ["a"]


def test_an_alert_of_a_threshold_that_is_gone_is_gone() -> None:
    fired = advance(book(0), Measured({"load": [Value({}, 11)]}), [], 0)
    assert advance(rulebook([signal()], []), Measured({}), fired, 15) == []


def test_a_clock_that_is_set_back_does_not_make_it_wait_longer_than_for() -> None:
    rules = book(30)
    broken = Measured({"load": [Value({}, 11)]})
    alerts = advance(rules, broken, [], 10_000)
    for at in (100, 115, 130):
        alerts = advance(rules, broken, alerts, at)
    assert [alert.state for alert in alerts] == [State.FIRING]


@given(
    st.lists(st.one_of(st.none(), st.just(math.nan), st.floats(0, 20)), min_size=1, max_size=60),
    st.integers(0, 8),
    st.integers(0, 8),
)
def test_it_never_fires_before_for_and_never_stays_after_keep_firing_for(
    values: list[float | None], steps: int, keep: int
) -> None:
    states = history(book(steps * STEP, keep * STEP), values)
    broken = [value is not None and value > 10 for value in values]
    for i, state in enumerate(states):
        if state is not State.FIRING:
            continue
        # It was broken for all of `for` once, and is whole since `keep_firing_for` at most.
        begun = [j for j in range(steps, i + 1) if all(broken[j - steps : j + 1])]
        assert begun
        last = max(j for j in range(i + 1) if broken[j])
        assert i - last <= keep


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 6), st.integers(0, 6))
def test_it_fires_whenever_it_was_broken_for_all_of_for(broken: list[bool], steps: int, keep: int) -> None:
    states = history(book(steps * STEP, keep * STEP), [11 if one else 9 for one in broken])
    for i, state in enumerate(states):
        if i >= steps and all(broken[i - steps : i + 1]):
            assert state is State.FIRING


@given(st.lists(st.one_of(st.none(), st.floats(0, 20)), min_size=1, max_size=20))
def test_nothing_that_is_given_is_changed(values: list[float | None]) -> None:
    rules = book(15, 15)
    alerts: list[Alert] = []
    for i, value in enumerate(values):
        before = list(alerts)
        measured = Measured({"load": [] if value is None else [Value({}, value)]})
        once = advance(rules, measured, alerts, i * STEP)
        assert once == advance(rules, measured, alerts, i * STEP)
        assert alerts == before
        alerts = once


def samples(*series: Sample, at: float = 1000) -> Samples:
    made = Samples(3600)
    made.add(at, series)
    return made


def unknown(measured: Measured) -> list[dict[str, str]]:
    return [dict(value.labels) for value in measured.values["unknown"]]


def told(critical: dict[str, float]) -> dict[str, str]:
    """Who is told of each of three services that are down, where these are known to be critical or not."""
    one = threshold(severity="page", unless_critical="ticket", **{"for": "0s"})
    rules = rulebook([signal(labels=["service"]), PACKAGED.signals["service_critical"]], [one])
    down = [Value({"service": name}, 11) for name in ("database", "pages", "new")]
    known = [Value({"service": name}, value) for name, value in critical.items()]
    alerts = advance(rules, Measured({"load": down, "service_critical": known}), [], 1000)
    return {alert.labels["service"]: labels_of(alert, rules)["severity"] for alert in alerts}


def test_of_a_service_without_which_little_stands_still_nobody_is_woken() -> None:
    assert told({"database": 1, "pages": 0}) == {"database": "page", "pages": "ticket", "new": "page"}


def test_one_that_becomes_critical_is_told_anew_as_such() -> None:
    one = threshold(severity="page", unless_critical="ticket", **{"for": "0s"})
    rules = rulebook([signal(labels=["service"]), PACKAGED.signals["service_critical"]], [one])

    def measured(critical: float) -> Measured:
        return Measured(
            {"load": [Value({"service": "a"}, 11)], "service_critical": [Value({"service": "a"}, critical)]}
        )

    minor = advance(rules, measured(0), [], 1000)
    both = {labels_of(one, rules)["severity"]: one.state for one in advance(rules, measured(1), minor, 1015)}
    assert both == {"page": State.FIRING, "ticket": State.RESOLVED}


def test_a_signal_without_a_value_is_unknown_and_fires_then() -> None:
    rules = rulebook([signal()], [UNKNOWN])
    measured = measure(rules, samples(), 1000)
    assert unknown(measured) == [{"signal": "load"}]
    assert [labels_of(alert, rules)["signal"] for alert in advance(rules, measured, [], 1000)] == ["load"]


def test_nan_is_unknown() -> None:
    measured = measure(rulebook([signal()], []), samples(Sample("load", {}, math.nan)), 1000)
    assert unknown(measured) == [{"signal": "load"}]


def test_a_signal_that_is_there_is_not_unknown() -> None:
    assert unknown(measure(rulebook([signal()], []), samples(Sample("load", {}, 0)), 1000)) == []


def test_each_label_set_that_is_expected_and_not_there_is_unknown() -> None:
    one = signal(query="max by (service) (load)", labels=["service"], expected="count by (service) (meant)")
    there = samples(
        Sample("meant", {"service": "a"}, 1),
        Sample("meant", {"service": "b"}, 1),
        Sample("load", {"service": "a", "host": "x"}, 1),
    )
    assert unknown(measure(rulebook([one], []), there, 1000)) == [{"service": "b", "signal": "load"}]


def test_what_need_not_be_there_is_not_unknown() -> None:
    assert unknown(measure(rulebook([signal(expected=None)], []), samples(), 1000)) == []


def test_a_signal_that_cannot_be_computed_has_no_value_and_says_why() -> None:
    one = signal(query="load * on (service) other")
    both = [Sample(name, {"service": "a", "x": x}, 1) for name in ("load", "other") for x in "12"]
    measured = measure(rulebook([one], []), samples(*both), 1000)
    assert unknown(measured) == [{"signal": "load"}]
    assert "load" in measured.failed


def test_every_packaged_signal_whose_series_vanished_is_unknown_at_once_and_not_after_its_range() -> None:
    """A metric that is gone must not go on with what its last five minutes or six hours were."""
    seen = Samples(8 * 3600)
    names = {one.series.partition("{")[0] for each in PACKAGED.signals.values() for one in each.example}
    for at in range(0, 600, 15):
        seen.add(at, [Sample(name, {"instance": "x"}, at) for name in names])
    seen.add(600, [])
    measured = measure(PACKAGED, seen, 600)
    still = {name for name, values in measured.values.items() if values}
    assert still == {"unknown", "always", "exporter_answers"}
    assert all(value.value == 0 for value in measured.values["exporter_answers"])


def test_what_is_recorded_is_called_as_prometheus_records_it() -> None:
    measured = Measured({"load": [Value({"service": "a"}, 3)]})
    assert list(measured.samples()) == [Sample("signal:load", {"service": "a"}, 3)]


def test_a_person_is_told_the_value_and_what_it_is_about() -> None:
    rules = rulebook(
        [signal(labels=["service"], unit="ratio")],
        [
            threshold(
                above=0.5,
                summary="{service}: {value} of {level}",
                next="sutazai-ops probe {service}",
                runbook={"meaning": "", "impact": "", "look": "", "mend": ""},
            )
        ],
    )
    alert = advance(rules, Measured({"load": [Value({"service": "shop"}, 0.75)]}), [], 0)[0]
    assert annotations_of(alert, rules, "https://x/runbooks/") == {
        "summary": "shop: 75% of 50%",
        "next": "sutazai-ops probe shop",
        "runbook_url": "https://x/runbooks/too_much.md",
    }


def seen(*states: tuple[str, str, str]) -> Measured:
    """The packaged signals where these are 1: what is told of, the name of its probe, and its state."""
    told = [("service", "", state) for state in ("running", "stopped")]
    told += [
        (kind, name, state) for kind, name, _ in states if kind == "probe" for state in ("ok", "failed", "unknown")
    ]
    series = [
        Sample(
            f"sutazai_{kind}_state", {"service": "shop", "probe": name, "state": state}, (kind, name, state) in states
        )
        for kind, name, state in told
    ]
    return measure(PACKAGED, samples(*series), 1000)


def value_of(measured: Measured, name: str) -> float | None:
    values = measured.values[name]
    return values[0].value if values else None


RUNS = ("service", "", "running")


def test_a_service_that_answers_is_not_down() -> None:
    measured = seen(RUNS, ("probe", "http", "ok"))
    assert (value_of(measured, "service_down"), value_of(measured, "service_unknown")) == (0, 0)


def test_a_service_is_down_when_a_probe_fails_whatever_the_others_say() -> None:
    measured = seen(RUNS, ("probe", "http", "ok"), ("probe", "edge", "failed"), ("probe", "tcp", "unknown"))
    assert value_of(measured, "service_down") == 1


def test_a_service_that_does_not_run_is_down_though_its_probe_knows_nothing() -> None:
    assert value_of(seen(("service", "", "stopped"), ("probe", "http", "unknown")), "service_down") == 1


def test_of_a_service_that_nobody_could_ask_is_not_said_that_it_is_up() -> None:
    measured = seen(RUNS, ("probe", "http", "unknown"))
    assert (value_of(measured, "service_down"), value_of(measured, "service_unknown")) == (None, 1)


def test_a_probe_that_tells_nothing_any_more_is_unknown_though_the_service_runs() -> None:
    """The engine alone must not make it a service that is up."""
    measured = seen(RUNS)
    assert value_of(measured, "service_down") is None
    assert {"service": "shop", "signal": "service_down"} in unknown(measured)


def test_a_service_without_a_probe_is_a_finding_and_no_alarm() -> None:
    measured = seen(RUNS, ("probe", "none", "unknown"))
    assert value_of(measured, "services_unprobed") == 1
    assert (value_of(measured, "service_down"), value_of(measured, "service_unknown")) == (None, None)
    assert "service_down" not in [one["signal"] for one in unknown(measured)]
