"""What models are held against each other by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.models.bench import Agreement, Measured, agreements, cosine

numbers = st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3)


def words(name: str, size: int, *answers: str) -> Measured:
    return Measured(name, "sha256:a", size, "Q4", len(answers), answers=answers)


def vectors(name: str, size: int, *found: list[float]) -> Measured:
    return Measured(name, "sha256:a", size, "F16", len(found), vectors=found)


def test_each_is_held_against_the_largest_of_its_kind_alone():
    measured = [words("small", 1, "Yes.", "42"), words("large", 3, "yes", "forty two"), vectors("v", 9, [1.0])]
    (found,) = agreements(measured)
    assert (found.model, found.reference) == ("small", "large")
    # Case and a full stop are no other answer.
    assert found.same == 0.5
    assert found.alike == 0.5


def test_answers_that_share_most_words_are_alike_and_not_the_same():
    (found,) = agreements([words("a", 1, "red, green, blue"), words("b", 2, "red, green, yellow")])
    assert found.same == 0
    assert found.alike == pytest.approx(2 / 3)


def test_vectors_of_other_lengths_have_no_cosine():
    assert agreements([vectors("a", 1, [1.0, 0.0]), vectors("b", 2, [1.0])]) == [Agreement("a", "b")]


def test_one_alone_is_held_against_nothing():
    assert agreements([words("a", 1, "yes")]) == []


@given(numbers, numbers)
def test_a_cosine_lies_between_minus_one_and_one_and_is_the_same_both_ways(a, b):
    assert -1 <= cosine(a, b) <= 1
    assert cosine(a, b) == cosine(b, a)


@given(numbers.filter(lambda found: sum(abs(one) for one in found) > 1e-3), st.floats(0.01, 100))
def test_a_vector_and_a_longer_one_of_its_direction_agree_wholly(a, factor):
    assert cosine(a, [one * factor for one in a]) == pytest.approx(1)
