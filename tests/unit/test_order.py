"""The order in which services are brought up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sutazai_ops.deployment.order import levels


def test_what_is_free_of_each_other_stands_side_by_side():
    depends_on = {"db": (), "cache": (), "api": ("db", "cache"), "web": ("api",)}
    assert levels(["web", "api", "cache", "db"], depends_on) == [["cache", "db"], ["api"], ["web"]]


def test_a_dependency_that_is_not_brought_up_still_keeps_the_order():
    assert levels(["web", "db"], {"db": (), "api": ("db",), "web": ("api",)}) == [["db"], ["web"]]


@given(st.dictionaries(st.integers(0, 12), st.sets(st.integers(0, 12)), max_size=12), st.sets(st.integers(0, 12)))
def test_no_service_comes_before_what_it_depends_on(wild, chosen):
    depends_on = {str(n): tuple(str(on) for on in ons if on < n) for n, ons in wild.items()}
    for ons in list(depends_on.values()):
        depends_on |= {on: () for on in ons if on not in depends_on}
    names = {str(n) for n in chosen} & set(depends_on)
    place = {name: index for index, group in enumerate(levels(names, depends_on)) for name in group}
    assert set(place) == names
    assert all(place[on] < place[name] for name in names for on in depends_on[name] if on in names)
