"""What is right and what is wrong in an HTTP answer, apart from how it came."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.http import Answer
from sutazai_ops.monitoring.probes import ProbeState
from sutazai_ops.monitoring.probes.answers import MISSING, Expectation, is_same, judge, value_at
from sutazai_ops.monitoring.probes.prometheus import judge_targets

KEYS = st.text(st.characters(exclude_characters=".", exclude_categories=["Cs"]), min_size=1, max_size=5)
SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
JSON = st.recursive(
    st.none() | SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)
EXPECTATIONS = st.builds(
    Expectation,
    status=st.sampled_from([200, 204, 503]),
    contains=st.lists(st.text(min_size=1, max_size=3), max_size=2).map(tuple),
    values=st.dictionaries(KEYS, SCALARS, max_size=2),
    present=st.lists(KEYS, max_size=2).map(tuple),
    page=st.booleans(),
)


def answer(content: object, **more) -> Answer:
    return Answer(more.pop("status", 200), json.dumps(content).encode(), **more)


def state(given: Answer, **expected) -> str:
    return judge(given, Expectation(**expected)).state.value


@given(st.lists(KEYS, min_size=1, max_size=4), SCALARS)
def test_a_value_is_found_at_the_path_that_leads_to_it_and_nowhere_else(keys, value):
    content = value
    for key in reversed(keys):
        content = {key: content}
    assert value_at(content, ".".join(keys)) == value
    assert value_at(content, ".".join([*keys, "further"])) is MISSING
    assert value_at(content, ".".join(["un", *keys])) is MISSING or keys[0] == "un"


@given(SCALARS)
def test_a_value_that_went_through_json_is_the_same_as_itself(value):
    assert is_same(json.loads(json.dumps(value)), value)


def test_true_is_not_one():
    assert not is_same(True, 1)
    assert not is_same(0, False)
    assert is_same(1.0, 1)
    assert not is_same(None, "None")


@given(st.binary(max_size=200), EXPECTATIONS, st.booleans())
def test_any_bytes_are_judged(body, expected, whole):
    for status in (200, 503):
        judgement = judge(Answer(status, body, whole), expected)
        assert judgement.because
        assert status == expected.status or judgement.state is ProbeState.FAILED


@given(JSON, EXPECTATIONS)
def test_what_is_ok_has_everything_that_was_expected(content, expected):
    text = json.dumps(content)
    if judge(Answer(200, text.encode()), expected).state is ProbeState.OK:
        assert expected.status == 200
        assert all(part in text for part in expected.contains)
        assert all(is_same(value_at(content, path), value) for path, value in expected.values.items())
        assert all(value_at(content, path) is not MISSING for path in expected.present)


def test_another_status_is_wrong_even_with_the_right_words():
    judgement = judge(Answer(503, b"ready"), Expectation(contains=("ready",)))
    assert judgement.state is ProbeState.FAILED
    assert judgement.because == "it answers 503, not 200"
    assert state(Answer(204, b""), status=204) == "ok"


def test_a_nested_value_has_to_be_what_is_expected():
    content = {"status": {"database": "ok", "nodes": [{"up": True}]}}
    assert state(answer(content), values={"status.database": "ok", "status.nodes.0.up": True}) == "ok"
    wrong = judge(answer(content), Expectation(values={"status.database": "up"}))
    assert wrong.because == "status.database is ok, not up"
    assert "has no status.nodes.1.up" in judge(answer(content), Expectation(values={"status.nodes.1.up": 1})).because


def test_a_key_with_dots_in_it_is_found():
    assert state(answer({"a.b": 1}), values={"a.b": 1}) == "ok"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_wrong_where_json_is_expected(body):
    assert judge(Answer(200, body), Expectation(values={"a": 1})).because == "its answer is not JSON"


def test_a_byte_that_is_no_utf_8_keeps_nobody_from_reading_the_rest():
    assert state(Answer(200, b'{"note": "caf\xe9", "ok": true}'), values={"ok": True}) == "ok"
    listed = b'{"status": "success", "data": {"activeTargets": [{"scrapePool": "node", "health": "up", "n": "\xe9"}]}}'
    assert judge_targets(Answer(200, listed), "node").state is ProbeState.OK


@pytest.mark.parametrize("expected", [{"present": ("a",)}, {"values": {"a": 1}}])
def test_however_deep_an_answer_is_nested_it_is_judged(expected):
    # Somewhere among these is the depth that can just be read, and not be written again.
    for depth in range(900, 1000):
        assert judge(Answer(200, b'{"a":' + b"[" * depth + b"]" * depth + b"}"), Expectation(**expected)).because


def test_json_that_was_cut_is_not_read():
    assert "longer than" in judge(answer({"a": 1}, whole=False), Expectation(values={"a": 1})).because


def test_a_web_page_is_no_health():
    page = Answer(200, b"\n<!doctype html><title>n8n</title>")
    assert state(page, page=False) == "failed"
    assert state(page) == "ok"


def test_of_an_answers_text_nothing_is_repeated():
    judgement = judge(Answer(500, b"postgres://shop:hunter2@db"), Expectation(contains=("ok",)))
    assert "hunter2" not in str(judgement)


def targets(*health: str, job: str = "node", status: str = "success") -> Answer:
    active = [
        {"scrapePool": job, "health": one, "labels": {"instance": f"host{n}:9100"}, "scrapeUrl": "http://x?token=t0p"}
        for n, one in enumerate(health)
    ]
    return answer({"status": status, "data": {"activeTargets": active}})


def test_a_job_is_up_when_all_its_targets_are():
    assert judge_targets(targets("up", "up"), "node").state is ProbeState.OK


@pytest.mark.parametrize("health", ["down", "unknown", None])
def test_one_target_that_is_not_up_fails_the_job_and_is_named(health):
    judgement = judge_targets(targets("up", health), "node")
    assert judgement.state is ProbeState.FAILED
    assert judgement.because == "1 of 2 targets of node are not up: host1:9100"
    assert "t0p" not in str(judgement)


def test_a_job_without_targets_has_failed():
    assert judge_targets(targets(), "node").because == "it has no target in the job node"
    assert judge_targets(targets("up", job="other"), "node").state is ProbeState.FAILED


@given(st.binary(max_size=50), st.binary(max_size=20))
def test_any_bytes_are_judged_as_targets(body, text):
    for content in (body, b'{"status": "success", "data": {"activeTargets": ["' + text + b'"]}}'):
        assert judge_targets(Answer(200, content), "node").state is ProbeState.FAILED


@given(JSON)
def test_any_json_is_judged_as_targets(content):
    assert judge_targets(answer(content), "node").state is ProbeState.FAILED
    assert judge_targets(answer({"status": "success", "data": content}), "node").state is ProbeState.FAILED
