"""Instant vectors, and PromQL's operations between two of them: how elements pair, and which labels the result has.

An element is a pair of its labels, the metric's name among them, and its value. Labels are never changed in place: they
may be those of a stored series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sutazai_ops.monitoring.promql import functions
from sutazai_ops.monitoring.promql.parse import CannotMatch
from sutazai_ops.monitoring.promql.samples import NAME, Labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Element: TypeAlias = tuple[Labels, float]
Vector: TypeAlias = list[Element]
Signature: TypeAlias = tuple[object, ...]

ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": functions.divide,
    "%": functions.modulo,
    "^": functions.power,
    "atan2": math.atan2,
}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
SET_OPERATIONS = frozenset({"and", "or", "unless"})


@dataclass(frozen=True, slots=True)
class Matching:
    """How the elements of two vectors are paired."""

    labels: tuple[str, ...] = ()
    on: bool = False
    """Whether `labels` are those that must agree, or those that need not."""
    many: str = ""
    """The side, `left` or `right`, that may have several elements to one of the other."""
    include: tuple[str, ...] = ()
    """Labels that come from the one to the many."""

    def signature(self) -> Callable[[Labels], Signature]:
        """What two elements must have in common, as a function of the labels of one."""
        if self.on:
            names = self.labels
            return lambda labels: tuple(labels.get(name, "") for name in names)
        ignored = {*self.labels, NAME}
        return lambda labels: tuple(sorted(pair for pair in labels.items() if pair[0] not in ignored))


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation on two vectors that is not one on sets."""

    symbol: str
    matching: Matching
    return_bool: bool = False

    @property
    def keeps_name(self) -> bool:
        """Whether the result is still what the metric's name says."""
        return self.symbol in COMPARISONS and not self.return_bool


def without_name(vector: Vector) -> Vector:
    """The same values, no longer under the name of what they were computed from.

    Raises:
        CannotMatch: where the name was all that two of them differed by.
    """
    names = {labels.get(NAME) for labels, _ in vector}
    bare: Vector = [(nameless(labels), value) for labels, value in vector]
    return unique(bare) if len(names) > 1 else bare


def nameless(labels: Labels) -> Labels:
    """These labels without the metric's name."""
    return {name: value for name, value in labels.items() if name != NAME}


def unique(vector: Vector) -> Vector:
    """The vector itself; raises `CannotMatch` where two elements have the same labels."""
    seen = set()
    for labels, _ in vector:
        key = frozenset(labels.items())
        if key in seen:
            raise CannotMatch(f"two results would have the same labels: {show(labels)}")
        seen.add(key)
    return vector


def show(labels: Labels) -> str:
    """Labels as PromQL writes them."""
    name = labels.get(NAME, "")
    return name + "{" + ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items()) if k != NAME) + "}"


def combine_sets(symbol: str, matching: Matching, left: Vector, right: Vector) -> Vector:
    """`and`, `or`, `unless`: elements of one side, chosen by which signatures the other has."""
    signature = matching.signature()
    if symbol == "or":
        taken = {signature(labels) for labels, _ in left}
        return left + [element for element in right if signature(element[0]) not in taken]
    there = {signature(labels) for labels, _ in right}
    return [element for element in left if (signature(element[0]) in there) == (symbol == "and")]


def combine(operation: Operation, left: Vector, right: Vector) -> Vector:
    """Pair the elements and compute each pair.

    Raises:
        CannotMatch: where an element has several partners and may have but one.
    """
    matching = operation.matching
    signature = matching.signature()
    many, one = (right, left) if matching.many == "right" else (left, right)
    partners: dict[Signature, Element] = {}
    for element in one:
        key = signature(element[0])
        if key in partners:
            side = "left" if matching.many == "right" else "right"
            raise CannotMatch(
                f"two series of the {side} side match the same one of the other: "
                f"{show(partners[key][0])} and {show(element[0])}",
                remedy="name in on(…) what tells them apart, or aggregate one side with sum by (…)",
            )
        partners[key] = element
    result: Vector = []
    seen: set[object] = set()
    for labels, value in many:
        key = signature(labels)
        partner = partners.get(key)
        if partner is None:
            continue
        pair = (partner[1], value) if matching.many == "right" else (value, partner[1])
        computed = _compute(operation, *pair)
        if computed is None:
            continue
        outcome = _result_labels(operation, labels, partner[0])
        identity = frozenset(outcome.items()) if matching.many else key
        if identity in seen:
            raise CannotMatch(
                f"several series of one side match one of the other, which is {show(partner[0])}"
                if not matching.many
                else f"two results would have the same labels: {show(outcome)}",
                remedy="" if matching.many else "say group_left or group_right if that is meant",
            )
        seen.add(identity)
        result.append((outcome, computed))
    return result


def combine_scalar(operation: Operation, vector: Vector, scalar: float, *, scalar_first: bool) -> Vector:
    """Each element with the same number. A comparison filters; what stays is the vector's value."""
    compare = COMPARISONS.get(operation.symbol)
    result: Vector = []
    for labels, value in vector:
        pair = (scalar, value) if scalar_first else (value, scalar)
        if compare is None:
            result.append((labels, ARITHMETIC[operation.symbol](*pair)))
        elif operation.return_bool:
            result.append((labels, float(compare(*pair))))
        elif compare(*pair):
            result.append((labels, value))
    return result if operation.keeps_name else without_name(result)


def compute_scalars(symbol: str, left: float, right: float) -> float:
    """Two numbers; a comparison is 1 or 0."""
    compare = COMPARISONS.get(symbol)
    return float(compare(left, right)) if compare else ARITHMETIC[symbol](left, right)


def _compute(operation: Operation, left: float, right: float) -> float | None:
    compare = COMPARISONS.get(operation.symbol)
    if compare is None:
        return ARITHMETIC[operation.symbol](left, right)
    if operation.return_bool:
        return float(compare(left, right))
    return left if compare(left, right) else None


def _result_labels(operation: Operation, labels: Labels, partner: Labels) -> Labels:
    matching = operation.matching
    result = dict(labels)
    if not operation.keeps_name:
        result.pop(NAME, None)
    if not matching.many:
        if matching.on:
            result = {name: value for name, value in result.items() if name in matching.labels}
        else:
            result = {name: value for name, value in result.items() if name not in matching.labels}
    for name in matching.include:
        value = partner.get(name, "")
        if value:
            result[name] = value
        else:
            result.pop(name, None)
    return result
