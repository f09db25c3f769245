"""What a cache of answers would have saved: counted from a log, and unknown where that says too little."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sutazai_ops.commands.models import app
from sutazai_ops.errors import BadInput
from sutazai_ops.models.caching import FEWEST, Question, potential, read_log


def asked(*keys: str, every: float = 1.0, model: str = "small") -> list[Question]:
    return [Question(at=number * every, model=model, key=key, seconds=2.0) for number, key in enumerate(keys)]


def test_only_the_first_of_the_same_questions_costs_time():
    [found] = potential(asked(*"ab" * 100), 3600)
    assert (found.questions, found.hits, found.share, found.saved_seconds) == (200, 198, 0.99, 396.0)
    assert found.sentence == "99.0 % of 200 questions were asked before: a cache is worth it"


def test_an_answer_is_kept_from_when_it_was_given_and_not_from_when_it_was_used():
    [found] = potential(asked(*"a" * 10, every=10), 25)
    # Given at 0, 30, 60 and 90 s, and twice used after each but the last.
    assert found.hits == 6


def test_models_do_not_answer_for_each_other_and_few_questions_say_nothing():
    found = potential([*asked("a", "a"), *asked("a", model="large")], 3600)
    assert [(one.model, one.hits, one.share) for one in found] == [("large", 0, None), ("small", 1, None)]
    assert found[1].sentence == f"unknown: 2 questions, and fewer than {FEWEST} say nothing"


@given(st.lists(st.sampled_from("abc"), max_size=50), st.floats(0, 100), st.floats(0, 100))
def test_keeping_answers_for_longer_never_saves_less_than_nothing_nor_more_than_all_but_one_of_a_kind(keys, one, other):
    for kept in (one, other):
        for found in potential(asked(*keys), kept):
            assert 0 <= found.hits <= len(keys) - len(set(keys))


def test_without_a_log_it_is_unknown():
    assert "unknown: nobody logs what is asked" in CliRunner().invoke(app, ["cache"]).output


@pytest.mark.parametrize(
    ("line", "words"),
    [('{"at": 1, "model": "m"}', "key is wrong"), ("nonsense", "the line is wrong"),
     ('{"at": -1, "model": "m", "key": "k"}', "at is wrong")],
)  # fmt: skip
def test_a_line_that_is_none_of_a_log_is_named(tmp_path, line, words):
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps({"at": 1, "model": "m", "key": "k", "user": "not ours"}) + "\n\n" + line)
    with pytest.raises(BadInput) as refused:
        read_log(file)
    assert words in refused.value.what
    assert refused.value.where.endswith(":3")
