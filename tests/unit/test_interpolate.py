"""Variables in a Compose file, as the Compose specification replaces them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.platform.interpolate import interpolate

SET = {"TAG": "16", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("postgres:$TAG", "postgres:16"),
        ("postgres:${TAG}-alpine", "postgres:16-alpine"),
        ("${NONE}", ""),
        ("${NONE-17}", "17"),
        ("${EMPTY-17}", ""),
        ("${EMPTY:-17}", "17"),
        ("${TAG:-17}", "16"),
        ("${TAG:+set}", "set"),
        ("${EMPTY:+set}", ""),
        ("${EMPTY+set}", "set"),
        ("${NONE+set}", ""),
        ("${TAG:?needed}", "16"),
        ("${NONE:-${EMPTY:-${TAG}}}", "16"),
        ("${NONE:-}", ""),
        ("$${TAG}", "${TAG}"),
        ("costs 5$", "costs 5$"),
        ("$5", "$5"),
    ],
)
def test_a_variable_is_replaced_as_compose_replaces_it(text, becomes):
    assert interpolate(text, SET) == becomes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${TAG", "not closed"),
        ("${}", "not a variable"),
        ("${TAG!x}", "not a variable"),
        ("${NONE:?say which}", "NONE is not set: say which"),
        ("${EMPTY:?}", "it is required"),
    ],
)
def test_what_cannot_be_replaced_is_refused_with_the_reason(text, words):
    with pytest.raises(ValueError, match=words):
        interpolate(text, SET)


@given(st.text())
def test_a_text_whose_dollar_signs_are_doubled_comes_back_as_it_was(text):
    assert interpolate(text.replace("$", "$$"), SET) == text


@given(st.text(), st.text(), st.text())
def test_a_value_is_put_in_as_it_is_and_never_read_again(before, value, after):
    written = f"{before.replace('$', '$$')}${{NAME}}{after.replace('$', '$$')}"
    assert interpolate(written, {"NAME": value}) == before + value + after


@given(st.text(alphabet=st.characters(exclude_characters="${}")), st.none() | st.text())
def test_a_default_stands_in_exactly_for_what_is_unset_or_empty(default, value):
    variables = {} if value is None else {"NAME": value}
    assert interpolate(f"${{NAME:-{default}}}", variables) == (value or default)
    assert interpolate(f"${{NAME-{default}}}", variables) == (default if value is None else value)
